/* Carries what needs no decision: packets of undiverted connections between CPEs and the ITMS, and the ACKs and data of
 * diverted ones. It runs at tc ingress, rewrites a packet exactly as the engine would have and sends it on. Everything
 * else goes to the network stack, the iptables bundle and the engine. In doubt, that way: slow and right.
 * docs/decisions/fast-path.md
 *
 * Written so that it verifies without CAP_PERFMON: no pointer is chosen by a condition, no stack is read unset. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "layout.h"
#include "rewrite.h"

#define AF_INET 2
#define AF_INET6 10
#define MIN_FRAME 60
/* RFC 791: the reserved bit, more fragments, and the offset; not "don't fragment". */
#define FRAGMENT_BITS 0xbfff
#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16
/* As long as the engine keeps an idle connection (ttl.established). */
#define FOREIGN_NS (7500LL * 1000000000LL)
#define NS_PER_MS 1000000LL
#define MAX_INTERFACES 8192
#define MAX_PORT_KEYS 256
#define MAX_NETWORKS 16384
#define MAX_FOREIGN 65536
#define MAX_WATCHED 1024

#define MAP(kind, key_type, value_type, size, flags)                                                                   \
  struct {                                                                                                             \
    __uint(type, kind);                                                                                                \
    __type(key, key_type);                                                                                             \
    __type(value, value_type);                                                                                         \
    __uint(max_entries, size);                                                                                         \
    __uint(map_flags, flags);                                                                                          \
  }

MAP(BPF_MAP_TYPE_ARRAY, __u32, __u32, CONTROLS, 0) control SEC(".maps");
MAP(BPF_MAP_TYPE_ARRAY, __u32, struct configuration, 2, 0) configurations SEC(".maps");
MAP(BPF_MAP_TYPE_HASH, struct interface_key, __u32, MAX_INTERFACES, BPF_F_NO_PREALLOC) interfaces SEC(".maps");
MAP(BPF_MAP_TYPE_HASH, struct port_key, __u32, MAX_PORT_KEYS, 0) ports SEC(".maps");
MAP(BPF_MAP_TYPE_LPM_TRIE, struct network4_key, __u32, MAX_NETWORKS, BPF_F_NO_PREALLOC) networks4 SEC(".maps");
MAP(BPF_MAP_TYPE_LPM_TRIE, struct network6_key, __u32, MAX_NETWORKS, BPF_F_NO_PREALLOC) networks6 SEC(".maps");
/* The report table. User space sets their sizes to the table's capacity. */
MAP(BPF_MAP_TYPE_HASH, struct flow4_key, struct flow, 16, BPF_F_NO_PREALLOC) flows4 SEC(".maps");
MAP(BPF_MAP_TYPE_HASH, struct flow6_key, struct flow, 16, BPF_F_NO_PREALLOC) flows6 SEC(".maps");
struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, OVERHEARD_BYTES);
} overheard SEC(".maps");
/* Connections of CPEs to the ITMS's own address, and when the CPE last spoke, CLOCK_BOOTTIME. Their packets only take the
 * slow way, where the rules know them (docs/decisions/direct.md), so a forged packet can make nothing but slow. */
MAP(BPF_MAP_TYPE_LRU_HASH, struct flow4_key, __u64, MAX_FOREIGN, 0) foreign4 SEC(".maps");
MAP(BPF_MAP_TYPE_LRU_HASH, struct flow6_key, __u64, MAX_FOREIGN, 0) foreign6 SEC(".maps");
/* CPEs that somebody traces, and until when, CLOCK_BOOTTIME. */
MAP(BPF_MAP_TYPE_LRU_HASH, __u32, __u64, MAX_WATCHED, 0) watched4 SEC(".maps");
struct address6 {
  __u32 words[4];
};
MAP(BPF_MAP_TYPE_LRU_HASH, struct address6, __u64, MAX_WATCHED, 0) watched6 SEC(".maps");
MAP(BPF_MAP_TYPE_PERCPU_ARRAY, __u32, __u64, REASONS, 0) counters SEC(".maps");

char program_license[] SEC("license") = "GPL";

/* Since a time that another core may have noted a moment after this one looked at the clock: then below 0. */
static __always_inline __s64 since(__u64 time) {
  return (__s64)(bpf_ktime_get_boot_ns() - time);
}

static __always_inline void count(__u32 reason) {
  __u64 *counter = bpf_map_lookup_elem(&counters, &reason);
  if (counter) (*counter)++;
}

/* Lets the packet go on to the next filter and the network stack. TC_ACT_OK would keep it from the filters behind. */
static __always_inline int pass(__u32 reason) {
  count(reason);
  return TC_ACT_UNSPEC;
}

static __always_inline int drop(void) {
  count(DROPPED);
  return TC_ACT_SHOT;
}

static __always_inline __u32 role_of(__u32 slot, __u32 ifindex) {
  struct interface_key key = {.slot = slot, .ifindex = ifindex};
  __u32 *role = bpf_map_lookup_elem(&interfaces, &key);
  return role ? *role : 0;
}

static __always_inline __u32 class_of(__u32 slot, __u16 port) {
  struct port_key key = {.slot = slot, .port = port};
  __u32 *class = bpf_map_lookup_elem(&ports, &key);
  return class ? *class : 0;
}

/* What both families do with a TCP header. Numbers are in host order. */
struct segment {
  __u16 source;
  __u16 destination;
  __u8 flags;
  __u16 window;
  __u32 sequence;
  __u32 acknowledgement;
  /* Bytes of IP and TCP header, and of data. */
  __u32 header;
  __u32 data;
};

/* Reads the TCP header behind `ip_bytes`; `rest` bytes belong to TCP. Returns 0, or the reason to pass. */
static __always_inline __u32 read_tcp(struct tcphdr *tcp, __u32 ip_bytes, __u32 rest, struct segment *segment) {
  __u32 header = tcp->doff * 4U;
  if (header < sizeof *tcp || header > rest) return UNREADABLE;
  segment->source = tcp->source;
  segment->destination = tcp->dest;
  segment->flags = ((__u8 *)tcp)[13];
  segment->window = bpf_ntohs(tcp->window);
  segment->sequence = bpf_ntohl(tcp->seq);
  segment->acknowledgement = bpf_ntohl(tcp->ack_seq);
  segment->header = ip_bytes + header;
  segment->data = rest - header;
  __u32 kind = segment->flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK);
  if (kind == 0 || ((kind & TCP_SYN) && (kind & (TCP_FIN | TCP_RST)))) return FLAGS;
  return 0;
}

static __always_inline int is_syn(const struct segment *segment) {
  return (segment->flags & TCP_SYN) != 0;
}

/* The length of the IP packet fits the frame. Small frames are padded. */
static __always_inline int is_length_right(const struct __sk_buff *skb, __u32 packet_bytes) {
  __u32 frame = ETH_HLEN + packet_bytes;
  return skb->len == frame || (skb->len > frame && skb->len <= MIN_FRAME);
}

/* Bytes that must pass the MTU: of a super-packet, one segment. */
static __always_inline __u16 routed_bytes(const struct __sk_buff *skb, __u32 packet_bytes, __u32 header_bytes) {
  return skb->gso_size ? (__u16)(skb->gso_size + header_bytes) : (__u16)packet_bytes;
}

/* A look-up has found a way on. */
static __always_inline int is_found(long found) {
  return found == BPF_FIB_LKUP_RET_SUCCESS || found == BPF_FIB_LKUP_RET_NO_NEIGH;
}

/* Why what a look-up has found may not be used, or 0. */
static __always_inline __u32 objection(long found, __u32 role, __u32 wanted) {
  if (found == BPF_FIB_LKUP_RET_FRAG_NEEDED) return MTU;
  return is_found(found) && (role & wanted) ? 0 : ROUTE;
}

static __always_inline int send_on(const struct bpf_fib_lookup *route, __u32 reason) {
  struct bpf_redir_neigh hop = {};
  hop.nh_family = route->family;
  if (route->family == AF_INET) hop.ipv4_nh = route->ipv4_dst;
  else __builtin_memcpy(hop.ipv6_nh, route->ipv6_dst, sizeof hop.ipv6_nh);
  count(reason);
  return bpf_redirect_neigh(route->ifindex, &hop, sizeof hop, 0);
}

/* ---- a diverted connection ---- */

#include "numbers.h"

/* The engine has to see this packet, and all others of the connection until it gives it back. */
static __always_inline void hand_over(struct flow *flow) {
  bpf_spin_lock(&flow->lock);
  if (flow->numbers.state == FLOW_OFFERED || flow->numbers.state == FLOW_CARRIED) flow->numbers.state = FLOW_HANDED;
  bpf_spin_unlock(&flow->lock);
}

/* The kernel's rules send new sessions to the ITMS. */
static __always_inline int is_engine_dead(void) {
  __u32 at = CONTROL_ALIVE_UNTIL;
  __u32 *until = bpf_map_lookup_elem(&control, &at);
  if (!until || *until == 0) return 0;
  return (__s32)((__u32)(bpf_ktime_get_boot_ns() / 1000000) - *until) > 0;
}

/* Nothing valid has come for so long that the engine's entry has expired, swept or not. */
static __always_inline int is_expired(const struct flow *flow) {
  __u32 at = flow->numbers.state == FLOW_OFFERED ? CONTROL_OFFERED_MS : CONTROL_CARRIED_MS;
  __u32 *life = bpf_map_lookup_elem(&control, &at);
  return life && *life != 0 && since(flow->numbers.spoke) > *life * NS_PER_MS;
}

/* Whether the engine decides this packet, whatever its numbers; 0, or the reason to pass. */
static __always_inline __u32 is_engines(struct flow *flow, const struct segment *segment, int is_of_cpe, int is_watched) {
  if (segment->flags & TCP_SYN) {
    if (is_of_cpe && !(segment->flags & TCP_ACK)) {
      /* Repeated: the engine forwards it, and nothing changes. */
      if (segment->sequence == flow->numbers.isn) return SYN;
      if (is_engine_dead()) {
        flow->numbers.state = FLOW_GONE;
        return SYN;
      }
    }
    hand_over(flow);
    return SYN;
  }
  if (is_watched) {
    hand_over(flow);
    return WATCHED;
  }
  __u32 state = flow->numbers.state;
  if (state != FLOW_OFFERED && state != FLOW_CARRIED) return DIVERTED;
  if (!is_expired(flow)) return 0;
  hand_over(flow);
  return DIVERTED;
}

/* One TLS alert: src/splitter/decide/http-head.ts */
static __always_inline int is_alert(struct __sk_buff *skb, const struct segment *segment) {
  __u8 record[5] = {};
  if (segment->data < sizeof record) return 0;
  if (bpf_skb_load_bytes(skb, ETH_HLEN + segment->header, record, sizeof record) || record[1] != 3) return 0;
  __u32 bytes = ((__u32)record[3] << 8) | record[4];
  if (segment->data > sizeof record + bytes) return 0;
  return record[0] == 0x15 || (record[0] == 0x17 && bytes <= 24);
}

/* Copies the packet as it came. */
static __always_inline void overhear(struct __sk_buff *skb, struct overheard *copy, const struct segment *segment,
                                     __u32 side) {
  __u32 data = segment->data;
  if (data > COPIED_BYTES) data = COPIED_BYTES;
  __u32 bytes = segment->header + data;
  asm volatile("" : "+r"(bytes));
  if (bytes == 0 || bytes > COPY_BYTES || bpf_skb_load_bytes(skb, ETH_HLEN, copy->packet, bytes)) {
    bpf_ringbuf_discard(copy, BPF_RB_NO_WAKEUP);
    count(UNHEARD);
    return;
  }
  copy->side = side;
  copy->bytes = bytes;
  bpf_ringbuf_submit(copy, BPF_RB_NO_WAKEUP);
}

/* Moves the connection's numbers on. 0: carry the packet; else the reason to pass. */
static __always_inline __u32 follow(struct __sk_buff *skb, struct flow *flow, const struct segment *segment, int is_of_cpe) {
  struct numbers *numbers = &flow->numbers;
  int is_data = segment->data > 0 && !is_alert(skb, segment);
  int is_told = is_of_cpe ? numbers->state == FLOW_OFFERED : is_data && is_copied(numbers, segment);
  __u64 now = bpf_ktime_get_boot_ns();
  __u32 refused;
  if (!is_told) {
    bpf_spin_lock(&flow->lock);
    /* It may have been offered meanwhile: the engine has to be told. */
    if (is_of_cpe) refused = numbers->state == FLOW_CARRIED ? judge_cpe(numbers, segment, is_data, now) : DIVERTED;
    else refused = judge_server(numbers, segment, is_data, now);
    bpf_spin_unlock(&flow->lock);
    return refused;
  }
  struct overheard *copy = bpf_ringbuf_reserve(&overheard, sizeof *copy, 0);
  if (!copy) {
    count(UNHEARD);
    if (is_of_cpe) return DIVERTED;
    bpf_spin_lock(&flow->lock);
    refused = judge_server(numbers, segment, is_data, now);
    bpf_spin_unlock(&flow->lock);
    return refused;
  }
  bpf_spin_lock(&flow->lock);
  copy->before = *numbers;
  if (is_of_cpe) refused = judge_cpe(numbers, segment, is_data, now);
  else refused = judge_server(numbers, segment, is_data, now);
  if (!refused && !is_of_cpe) numbers->marks &= ~ASKED;
  bpf_spin_unlock(&flow->lock);
  if (refused) bpf_ringbuf_discard(copy, BPF_RB_NO_WAKEUP);
  else overhear(skb, copy, segment, is_of_cpe ? SIDE_CPE : SIDE_COLLECTOR);
  return refused;
}

/* ---- a connection to the ITMS ---- */

#include "opening.h"

/* Tells the engine of a packet of the ITMS that is carried. 0: there is no room, so it has to get the packet itself. */
static __noinline int tell_of_itms(struct __sk_buff *skb, const struct segment *segment) {
  if (is_engine_dead()) return 1;
  struct overheard *copy = bpf_ringbuf_reserve(&overheard, sizeof *copy, 0);
  if (!copy) return 0;
  __builtin_memset(&copy->before, 0, sizeof copy->before);
  overhear(skb, copy, segment, SIDE_ITMS);
  return 1;
}

/* ---- IPv4 ---- */

/* A header whose sum is wrong is the stack's to drop. RFC 1071 */
static __always_inline int is_header_sum_right(const struct iphdr *ip) {
  const __u16 *words = (const __u16 *)ip;
  __u32 sum = 0;
#pragma unroll
  for (int i = 0; i < 10; i++) sum += words[i];
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

static __always_inline int is_cpe4(__u32 slot, __u32 address) {
  struct network4_key key = {.bits = 64, .slot = slot, .address = address};
  __u32 *is_cpe = bpf_map_lookup_elem(&networks4, &key);
  return is_cpe && *is_cpe;
}

static __always_inline int is_watched4(__u32 address) {
  __u64 *until = bpf_map_lookup_elem(&watched4, &address);
  return until && bpf_ktime_get_boot_ns() < *until;
}

static __always_inline long route4(struct __sk_buff *skb, struct bpf_fib_lookup *route, __u32 from, __u32 to) {
  route->family = AF_INET;
  route->l4_protocol = IPPROTO_TCP;
  route->ifindex = skb->ifindex;
  route->ipv4_src = from;
  route->ipv4_dst = to;
  return bpf_fib_lookup(skb, route, sizeof *route, 0);
}

/* The stack's own check of a source (rp_filter), strictly; it refuses addresses of this host and broadcasts, too. The
 * interface through which the sender is reached, or 0. */
static __noinline __u32 way_back4(struct __sk_buff *skb, __u32 sender, __u32 receiver) {
  struct bpf_fib_lookup back = {};
  return is_found(route4(skb, &back, receiver, sender)) ? back.ifindex : 0;
}

static __noinline int is_local4(struct __sk_buff *skb, __u32 sender, __u32 address) {
  struct bpf_fib_lookup here = {};
  return route4(skb, &here, sender, address) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

#include "ways.h"

/* A packet of a diverted connection. */
static __always_inline int follow4(struct __sk_buff *skb, __u32 slot, const struct configuration *now, struct flow *flow,
                                   const struct segment *segment, __u32 source, __u32 destination, __u8 tos,
                                   __u16 life_word, int is_of_cpe) {
  __u32 server = flow->numbers.server[0];
  if (!is_of_cpe && source != server) return pass(NOT_STEERED);
  __u32 refused = is_engines(flow, segment, is_of_cpe, is_watched4(is_of_cpe ? source : destination));
  if (refused) return pass(refused);
  struct bpf_fib_lookup route = {.tos = tos};
  struct path4 path = {.slot = slot, .sender = source, .receiver = destination, .from = ROLE_COLLECTOR, .to = ROLE_CPE_OUT};
  if (is_of_cpe) {
    path.receiver = server;
    path.local = destination;
    path.from = ROLE_CPE_OUT;
    path.to = ROLE_COLLECTOR;
  }
  refused = find_way4(skb, &route, segment, &path);
  if (refused && !is_of_cpe) hand_over(flow);
  if (!refused) refused = follow(skb, flow, segment, is_of_cpe);
  if (refused) return pass(refused);
  if (is_of_cpe) {
    if (rewrite4(skb, IP4(daddr), destination, server, life_word)) return drop();
    return send_on(&route, CARRIED_TO_COLLECTOR);
  }
  if (rewrite4(skb, IP4(saddr), source, now->acs4, life_word)) return drop();
  return send_on(&route, CARRIED_FROM_COLLECTOR);
}

static __noinline int carry4(struct __sk_buff *skb, __u32 slot, const struct configuration *now, __u32 role) {
  const __u32 headers = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr);
  if ((void *)(long)skb->data + headers > (void *)(long)skb->data_end && bpf_skb_pull_data(skb, headers))
    return pass(NOT_STEERED);
  void *data = (void *)(long)skb->data;
  if (data + headers > (void *)(long)skb->data_end) return pass(NOT_STEERED);
  struct iphdr *ip = data + ETH_HLEN;
  __u32 source = ip->saddr;
  __u32 destination = ip->daddr;
  int is_to_acs = (role & ROLE_CPE_IN) && destination == now->acs4;
  int is_direct = (role & ROLE_CPE_IN) && destination == now->itms4;
  int is_of_itms = (role & ROLE_ITMS) && source == now->itms4;
  int is_of_collector = (role & ROLE_COLLECTOR) && !is_to_acs && !is_direct && !is_of_itms;
  if (now->acs4 == 0 || !(is_to_acs || is_direct || is_of_itms || is_of_collector)) return pass(NOT_STEERED);

  if (ip->version != 4 || ip->ihl < 5) return pass(UNREADABLE);
  if (ip->protocol != IPPROTO_TCP) return pass(NOT_TCP);
  if (ip->ihl > 5) return pass(OPTIONS);
  if (ip->frag_off & bpf_htons(FRAGMENT_BITS)) return pass(FRAGMENT);
  if (ip->ttl < 2) return pass(TTL);
  __u32 bytes = bpf_ntohs(ip->tot_len);
  if (!is_length_right(skb, bytes) || !is_header_sum_right(ip)) return pass(UNREADABLE);
  __u16 life_word = *(__u16 *)&ip->ttl;
  __u8 tos = ip->tos;
  struct tcphdr *tcp = data + ETH_HLEN + sizeof *ip;
  struct segment segment = {};
  __u32 refused = read_tcp(tcp, sizeof *ip, bytes - sizeof *ip, &segment);
  if (refused) return pass(refused);

  int is_of_server = is_of_itms || is_of_collector;
  __u32 cpe = is_of_server ? destination : source;
  struct flow4_key key = {.cpe = cpe};
  key.cpe_port = is_of_server ? segment.destination : segment.source;
  key.port = is_of_server ? segment.source : segment.destination;
  __u32 class = class_of(slot, key.port);
  if (!class || (is_of_collector && class != PORT_REPORT)) return pass(NOT_STEERED);
  if (!is_cpe4(slot, cpe)) return pass(NOT_A_CPE);
  if (is_direct) {
    __u64 spoke = bpf_ktime_get_boot_ns();
    bpf_map_update_elem(&foreign4, &key, &spoke, BPF_ANY);
    return pass(DIRECT);
  }
  if (class == PORT_REPORT) {
    struct flow *flow = bpf_map_lookup_elem(&flows4, &key);
    if (flow && flow->numbers.state != FLOW_GONE) {
      if (is_of_itms) return pass(is_syn(&segment) ? SYN : DIVERTED);
      return follow4(skb, slot, now, flow, &segment, source, destination, tos, life_word, !is_of_server);
    }
  }
  if (is_of_collector) return pass(NOT_STEERED);
  __u32 hash = opening_hash4(&key);
  int is_answer = is_of_itms && class == PORT_REPORT && is_syn(&segment) && (segment.flags & TCP_ACK);
  if (is_answer) {
    if (!answers(hash, &segment)) return pass(SYN);
  } else if (is_syn(&segment) && class == PORT_REPORT) {
    if (!is_of_itms) asks(hash, &segment);
    return pass(SYN);
  }
  if (is_watched4(cpe)) return pass(WATCHED);
  if (is_of_itms) {
    __u64 *spoke = bpf_map_lookup_elem(&foreign4, &key);
    if (spoke && since(*spoke) < FOREIGN_NS) return pass(FOREIGN);
  }
  if (class == PORT_REPORT && could_overtake(hash)) return pass(OVERTAKING);

  struct bpf_fib_lookup route = {.tos = tos};
  struct path4 path = {.slot = slot, .sender = source, .receiver = destination, .from = ROLE_ITMS, .to = ROLE_CPE_OUT};
  if (!is_of_itms) {
    path.receiver = now->itms4;
    path.local = destination;
    path.from = ROLE_CPE_OUT;
    path.to = ROLE_ITMS;
  }
  refused = find_way4(skb, &route, &segment, &path);
  if (refused) return pass(refused);
  if (is_answer && !tell_of_itms(skb, &segment)) {
    answers_slowly(hash);
    return pass(SYN);
  }

  if (is_of_itms) {
    if (rewrite4(skb, IP4(saddr), source, now->acs4, life_word)) return drop();
    return send_on(&route, CARRIED_FROM_ITMS);
  }
  if (rewrite4(skb, IP4(daddr), destination, now->itms4, life_word)) return drop();
  return send_on(&route, CARRIED_TO_ITMS);
}

/* ---- IPv6 ---- */

static __always_inline int is_same6(const __u32 *one, const __u32 *other) {
  return ((one[0] ^ other[0]) | (one[1] ^ other[1]) | (one[2] ^ other[2]) | (one[3] ^ other[3])) == 0;
}

static __always_inline void copy6(__u32 *to, const __u32 *from) {
  to[0] = from[0];
  to[1] = from[1];
  to[2] = from[2];
  to[3] = from[3];
}

static __always_inline int is_cpe6(__u32 slot, const __u32 *address) {
  struct network6_key key = {.bits = 160, .slot = slot};
  copy6(key.address, address);
  __u32 *is_cpe = bpf_map_lookup_elem(&networks6, &key);
  return is_cpe && *is_cpe;
}

static __always_inline int is_watched6(const __u32 *address) {
  struct address6 key = {};
  copy6(key.words, address);
  __u64 *until = bpf_map_lookup_elem(&watched6, &key);
  return until && bpf_ktime_get_boot_ns() < *until;
}

static __always_inline long route6(struct __sk_buff *skb, struct bpf_fib_lookup *route, const __u32 *from,
                                   const __u32 *to) {
  route->family = AF_INET6;
  route->l4_protocol = IPPROTO_TCP;
  route->ifindex = skb->ifindex;
  copy6(route->ipv6_src, from);
  copy6(route->ipv6_dst, to);
  return bpf_fib_lookup(skb, route, sizeof *route, 0);
}

static __noinline __u32 way_back6(struct __sk_buff *skb, const __u32 *sender, const __u32 *receiver) {
  struct bpf_fib_lookup back = {};
  return is_found(route6(skb, &back, receiver, sender)) ? back.ifindex : 0;
}

static __noinline int is_local6(struct __sk_buff *skb, const __u32 *sender, const __u32 *address) {
  struct bpf_fib_lookup here = {};
  return route6(skb, &here, sender, address) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

static __always_inline __u32 find_way6(struct __sk_buff *skb, __u32 slot, struct bpf_fib_lookup *route,
                                       const struct segment *segment, const __u32 *sender, const __u32 *receiver,
                                       __u32 from, __u32 to) {
  if (!(role_of(slot, way_back6(skb, sender, receiver)) & from)) return SOURCE;
  route->tot_len = routed_bytes(skb, segment->header + segment->data, segment->header);
  route->sport = segment->source;
  route->dport = segment->destination;
  long found = route6(skb, route, sender, receiver);
  return objection(found, role_of(slot, route->ifindex), to);
}

static __always_inline int follow6(struct __sk_buff *skb, __u32 slot, const struct configuration *now, struct flow *flow,
                                   const struct segment *segment, __u32 *source, __u32 *destination,
                                   __u32 flow_information, __u8 hop_limit, int is_of_cpe) {
  __u32 server[4];
  copy6(server, flow->numbers.server);
  if (!is_of_cpe && !is_same6(source, server)) return pass(NOT_STEERED);
  int is_watched = is_of_cpe ? is_watched6(source) : is_watched6(destination);
  __u32 refused = is_engines(flow, segment, is_of_cpe, is_watched);
  if (refused) return pass(refused);
  struct bpf_fib_lookup route = {};
  route.flowinfo = flow_information;
  if (is_of_cpe) {
    if (!is_local6(skb, source, destination)) return pass(STANDBY);
    refused = find_way6(skb, slot, &route, segment, source, server, ROLE_CPE_OUT, ROLE_COLLECTOR);
  } else {
    refused = find_way6(skb, slot, &route, segment, source, destination, ROLE_COLLECTOR, ROLE_CPE_OUT);
    if (refused) hand_over(flow);
  }
  if (!refused) refused = follow(skb, flow, segment, is_of_cpe);
  if (refused) return pass(refused);
  if (is_of_cpe) {
    if (rewrite6(skb, IP6(daddr), destination, server, hop_limit)) return drop();
    return send_on(&route, CARRIED_TO_COLLECTOR);
  }
  if (rewrite6(skb, IP6(saddr), source, now->acs6, hop_limit)) return drop();
  return send_on(&route, CARRIED_FROM_COLLECTOR);
}

static __noinline int carry6(struct __sk_buff *skb, __u32 slot, const struct configuration *now, __u32 role) {
  const __u32 headers = ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct tcphdr);
  if ((void *)(long)skb->data + headers > (void *)(long)skb->data_end && bpf_skb_pull_data(skb, headers))
    return pass(NOT_STEERED);
  void *data = (void *)(long)skb->data;
  if (data + headers > (void *)(long)skb->data_end) return pass(NOT_STEERED);
  struct ipv6hdr *ip = data + ETH_HLEN;
  __u32 source[4];
  __u32 destination[4];
  copy6(source, ip->saddr.in6_u.u6_addr32);
  copy6(destination, ip->daddr.in6_u.u6_addr32);
  int is_to_acs = (role & ROLE_CPE_IN) && is_same6(destination, now->acs6);
  int is_direct = (role & ROLE_CPE_IN) && is_same6(destination, now->itms6);
  int is_of_itms = (role & ROLE_ITMS) && is_same6(source, now->itms6);
  int is_of_collector = (role & ROLE_COLLECTOR) && !is_to_acs && !is_direct && !is_of_itms;
  if (now->acs6[0] == 0 || !(is_to_acs || is_direct || is_of_itms || is_of_collector)) return pass(NOT_STEERED);

  if (ip->version != 6) return pass(UNREADABLE);
  if (ip->nexthdr != IPPROTO_TCP) return pass(ip->nexthdr == IPPROTO_ICMPV6 ? NOT_TCP : OPTIONS);
  __u8 hop_limit = ip->hop_limit;
  if (hop_limit < 2) return pass(TTL);
  __u32 payload = bpf_ntohs(ip->payload_len);
  __u32 bytes = sizeof *ip + payload;
  if (!is_length_right(skb, bytes)) return pass(UNREADABLE);
  struct tcphdr *tcp = data + ETH_HLEN + sizeof *ip;
  __u32 flow_information = *(__u32 *)ip & bpf_htonl(0x0fffffff);
  struct segment segment = {};
  __u32 refused = read_tcp(tcp, sizeof *ip, payload, &segment);
  if (refused) return pass(refused);

  int is_of_server = is_of_itms || is_of_collector;
  struct flow6_key key = {};
  key.cpe_port = is_of_server ? segment.destination : segment.source;
  key.port = is_of_server ? segment.source : segment.destination;
  if (is_of_server) copy6(key.cpe, destination);
  else copy6(key.cpe, source);
  __u32 class = class_of(slot, key.port);
  if (!class || (is_of_collector && class != PORT_REPORT)) return pass(NOT_STEERED);
  if (!is_cpe6(slot, key.cpe)) return pass(NOT_A_CPE);
  if (is_direct) {
    __u64 spoke = bpf_ktime_get_boot_ns();
    bpf_map_update_elem(&foreign6, &key, &spoke, BPF_ANY);
    return pass(DIRECT);
  }
  if (class == PORT_REPORT) {
    struct flow *flow = bpf_map_lookup_elem(&flows6, &key);
    if (flow && flow->numbers.state != FLOW_GONE) {
      if (is_of_itms) return pass(is_syn(&segment) ? SYN : DIVERTED);
      return follow6(skb, slot, now, flow, &segment, source, destination, flow_information, hop_limit, !is_of_server);
    }
  }
  if (is_of_collector) return pass(NOT_STEERED);
  __u32 hash = opening_hash6(&key);
  int is_answer = is_of_itms && class == PORT_REPORT && is_syn(&segment) && (segment.flags & TCP_ACK);
  if (is_answer) {
    if (!answers(hash, &segment)) return pass(SYN);
  } else if (is_syn(&segment) && class == PORT_REPORT) {
    if (!is_of_itms) asks(hash, &segment);
    return pass(SYN);
  }
  if (is_watched6(key.cpe)) return pass(WATCHED);
  if (is_of_itms) {
    __u64 *spoke = bpf_map_lookup_elem(&foreign6, &key);
    if (spoke && since(*spoke) < FOREIGN_NS) return pass(FOREIGN);
  } else if (!is_local6(skb, source, destination)) {
    return pass(STANDBY);
  }
  if (class == PORT_REPORT && could_overtake(hash)) return pass(OVERTAKING);

  __u32 receiver[4];
  if (is_of_itms) copy6(receiver, destination);
  else copy6(receiver, now->itms6);
  struct bpf_fib_lookup route = {};
  route.flowinfo = flow_information;
  refused = find_way6(skb, slot, &route, &segment, source, receiver, is_of_itms ? ROLE_ITMS : ROLE_CPE_OUT,
                      is_of_itms ? ROLE_CPE_OUT : ROLE_ITMS);
  if (refused) return pass(refused);
  if (is_answer && !tell_of_itms(skb, &segment)) {
    answers_slowly(hash);
    return pass(SYN);
  }

  if (is_of_itms) {
    if (rewrite6(skb, IP6(saddr), source, now->acs6, hop_limit)) return drop();
    return send_on(&route, CARRIED_FROM_ITMS);
  }
  if (rewrite6(skb, IP6(daddr), destination, now->itms6, hop_limit)) return drop();
  return send_on(&route, CARRIED_TO_ITMS);
}

SEC("tc")
int acsplit_carry(struct __sk_buff *skb) {
  __u32 at = CONTROL_OPEN;
  __u32 *is_open = bpf_map_lookup_elem(&control, &at);
  if (!is_open || !*is_open) return pass(CLOSED);
  at = CONTROL_SLOT;
  __u32 *chosen = bpf_map_lookup_elem(&control, &at);
  if (!chosen) return pass(CLOSED);
  __u32 slot = *chosen & 1;
  struct configuration *now = bpf_map_lookup_elem(&configurations, &slot);
  if (!now) return pass(CLOSED);
  __u32 role = role_of(slot, skb->ifindex);
  if (!role) return pass(NOT_STEERED);
  if (skb->pkt_type != PACKET_HOST) return pass(NOT_FOR_US);
  if (skb->vlan_present) return pass(VLAN_TAG);
  if (skb->protocol == bpf_htons(ETH_P_IP)) return carry4(skb, slot, now, role);
  if (skb->protocol == bpf_htons(ETH_P_IPV6)) return carry6(skb, slot, now, role);
  return pass(NOT_STEERED);
}
