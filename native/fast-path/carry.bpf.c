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

#include "flows.h"

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

#include "carry4.h"
#include "carry6.h"

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
  if (skb->pkt_type != PACKET_HOST) return pass(NOT_FOR_US);
  if (skb->vlan_present) return pass(VLAN_TAG);
  if (skb->protocol == bpf_htons(ETH_P_IP)) return carry4(skb, slot, now);
  if (skb->protocol == bpf_htons(ETH_P_IPV6)) return carry6(skb, slot, now);
  return pass(NOT_STEERED);
}
