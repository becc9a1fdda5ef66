/* The ways of IPv4 packets: three questions to the kernel's routes cost more than all the rest of the program, so the answers
 * are kept, for one or two ticks of the kernel's clock. A changed route, address or rule counts that much later. */
#ifndef ACSPLIT_FAST_PATH_WAYS_H
#define ACSPLIT_FAST_PATH_WAYS_H

#define WAYS_BITS 12
#define KEPT_TICKS 1

/* Where a packet would go. */
struct path4 {
  __u32 slot;
  __u32 sender;
  __u32 receiver;
  /* Has to be an address of this host; 0: nothing has to be. */
  __u32 local;
  /* Roles of the interfaces on both sides. */
  __u32 from;
  __u32 to;
};

/* All that a look-up depends on, and what it has found. */
struct way4 {
  struct path4 path;
  __u32 ports;
  __u32 ifindex;
  __u32 tos;
  __u32 mtu;
  __u32 out;
  __u32 next_hop;
  __u64 tick;
};
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct way4, 1 << WAYS_BITS, 0) ways4 SEC(".maps");

static __always_inline __u32 ports_of(const struct segment *segment) {
  return (__u32)segment->source << 16 | segment->destination;
}

static __always_inline struct way4 *way_at4(const struct path4 *path, const struct segment *segment) {
  __u32 at = (mixed(mixed(path->sender, path->receiver), ports_of(segment)) * 0x85ebca6b) >> (32 - WAYS_BITS);
  return bpf_map_lookup_elem(&ways4, &at);
}

static __always_inline int is_known_way(const struct way4 *way, const struct path4 *path, const struct segment *segment,
                                        const struct __sk_buff *skb, __u8 tos) {
  const struct path4 *known = &way->path;
  return bpf_jiffies64() - way->tick <= KEPT_TICKS && known->sender == path->sender &&
         known->receiver == path->receiver && way->ports == ports_of(segment) && way->ifindex == skb->ifindex &&
         known->slot == path->slot && known->local == path->local && known->from == path->from &&
         known->to == path->to && way->tos == tos;
}

/* Why a packet may not be sent on the way that leads from its sender to its receiver; 0: it may, and `route` tells it. */
static __always_inline __u32 find_way4(struct __sk_buff *skb, struct bpf_fib_lookup *route, const struct segment *segment,
                                  const struct path4 *path) {
  __u32 bytes = routed_bytes(skb, segment->header + segment->data, segment->header);
  __u8 tos = route->tos;
  struct way4 *way = way_at4(path, segment);
  if (way && is_known_way(way, path, segment, skb, tos) && bytes <= way->mtu) {
    route->family = AF_INET;
    route->ifindex = way->out;
    route->ipv4_dst = way->next_hop;
    return 0;
  }
  if (path->local && !is_local4(skb, path->sender, path->local)) return STANDBY;
  if (!(role_of(path->slot, way_back4(skb, path->sender, path->receiver)) & path->from)) return SOURCE;
  route->tot_len = bytes;
  route->sport = segment->source;
  route->dport = segment->destination;
  long found = route4(skb, route, path->sender, path->receiver);
  __u32 refused = objection(found, role_of(path->slot, route->ifindex), path->to);
  if (refused || !way || route->family != AF_INET) return refused;
  way->path = *path;
  way->ports = ports_of(segment);
  way->ifindex = skb->ifindex;
  way->tos = tos;
  way->mtu = route->mtu_result;
  way->out = route->ifindex;
  way->next_hop = route->ipv4_dst;
  way->tick = bpf_jiffies64();
  return 0;
}

#endif
