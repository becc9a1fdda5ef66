/* What is done with an IPv4 packet. carry6.h does the same with IPv6. Included by carry.bpf.c. */
#ifndef ACSPLIT_FAST_PATH_CARRY4_H
#define ACSPLIT_FAST_PATH_CARRY4_H

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

#endif
