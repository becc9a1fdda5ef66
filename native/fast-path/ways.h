/* What is known of IPv4 packets like this one. Configuration and the kernel's routes are six to nine look-ups, which cost more
 * than all the rest of the program, so what they have found is kept, for one or two ticks of the kernel's clock: a changed
 * configuration, route, address or rule counts that much later. Only packets that may be carried get here. */
#ifndef ACSPLIT_FAST_PATH_WAYS_H
#define ACSPLIT_FAST_PATH_WAYS_H

#define WAYS_BITS 12
#define KEPT_TICKS 1

/* As a packet comes in. */
struct arrival4 {
  __u32 slot;
  __u32 ifindex;
  __u32 source;
  __u32 destination;
  __u32 ports;
  /* Of `foreign4`: an entry that is added makes all that is kept doubtful. */
  __u32 epoch;
};

/* Where it would go. */
struct path4 {
  __u32 receiver;
  /* Has to be an address of this host; 0: nothing has to be. */
  __u32 local;
  /* Roles of the interfaces on both sides. */
  __u32 from;
  __u32 to;
};

struct way4 {
  struct arrival4 arrival;
  __u32 role;
  __u32 class;
  struct path4 path;
  __u32 tos;
  __u32 mtu;
  __u32 out;
  __u32 next_hop;
  __u64 tick;
};
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, __u32, struct way4, 1 << WAYS_BITS, 0) ways4 SEC(".maps");

static __always_inline __u32 foreign_epoch(void) {
  __u32 at = CONTROL_FOREIGN_EPOCH;
  __u32 *epoch = bpf_map_lookup_elem(&control, &at);
  return epoch ? *epoch : 0;
}

/* A connection to the ITMS's own address is new to `foreign`. */
static __always_inline void begin_foreign_epoch(void) {
  __u32 at = CONTROL_FOREIGN_EPOCH;
  __u32 *epoch = bpf_map_lookup_elem(&control, &at);
  if (epoch) __sync_fetch_and_add(epoch, 1);
}

static __always_inline struct way4 *way_at4(const struct arrival4 *arrival) {
  __u32 at = (mixed(mixed(arrival->source, arrival->destination), arrival->ports) * 0x85ebca6b) >> (32 - WAYS_BITS);
  return bpf_map_lookup_elem(&ways4, &at);
}

/* Role, class and CPE are as they were then, and the CPE is not watched, nor the connection foreign. */
static __always_inline int is_known4(const struct way4 *way, const struct arrival4 *arrival) {
  const struct arrival4 *known = &way->arrival;
  return bpf_jiffies64() - way->tick <= KEPT_TICKS && known->source == arrival->source &&
         known->destination == arrival->destination && known->ports == arrival->ports &&
         known->ifindex == arrival->ifindex && known->slot == arrival->slot && known->epoch == arrival->epoch;
}

static __always_inline int is_same_path(const struct path4 *one, const struct path4 *other) {
  return one->receiver == other->receiver && one->local == other->local && one->from == other->from &&
         one->to == other->to;
}

/* What find_way4 has to know. */
struct search4 {
  struct arrival4 arrival;
  struct path4 path;
  __u32 role;
  __u32 class;
  /* `way` is of this arrival. */
  __u32 is_known;
};

/* Why a packet may not be sent on the way that leads from its sender to its receiver; 0: it may, and `route` tells it. */
static __always_inline __u32 find_way4(struct __sk_buff *skb, struct bpf_fib_lookup *route, const struct segment *segment,
                                       const struct search4 *search, struct way4 *way) {
  const struct path4 *path = &search->path;
  __u32 sender = search->arrival.source;
  __u32 slot = search->arrival.slot;
  __u32 bytes = routed_bytes(skb, segment->header + segment->data, segment->header);
  __u8 tos = route->tos;
  if (search->is_known && way->tos == tos && bytes <= way->mtu && is_same_path(&way->path, path)) {
    route->family = AF_INET;
    route->ifindex = way->out;
    route->ipv4_dst = way->next_hop;
    return 0;
  }
  if (path->local && !is_local4(skb, sender, path->local)) return STANDBY;
  if (!(role_of(slot, way_back4(skb, sender, path->receiver)) & path->from)) return SOURCE;
  route->tot_len = bytes;
  route->sport = segment->source;
  route->dport = segment->destination;
  long found = route4(skb, route, sender, path->receiver);
  __u32 refused = objection(found, role_of(slot, route->ifindex), path->to);
  if (refused || route->family != AF_INET) return refused;
  way->arrival = search->arrival;
  way->role = search->role;
  way->class = search->class;
  way->path = *path;
  way->tos = tos;
  way->mtu = route->mtu_result;
  way->out = route->ifindex;
  way->next_hop = route->ipv4_dst;
  way->tick = bpf_jiffies64();
  return 0;
}

#endif
