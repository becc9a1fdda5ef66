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
static __always_inline int follow4(struct __sk_buff *skb, __u32 acs, struct flow *flow,
                                   const struct segment *segment, struct search4 *search, struct way4 *way,
                                   struct ip4_tail *tail, __u8 tos, int is_of_cpe) {
  __u32 server = flow->numbers.server[0];
  __u64 time = bpf_ktime_get_boot_ns();
  if (!is_of_cpe && tail->source != server) return pass(NOT_STEERED);
  int is_watched = !search->is_known && is_watched4(is_of_cpe ? tail->source : tail->destination);
  __u32 refused = is_engines(flow, segment, is_of_cpe, is_watched, time);
  if (refused) return pass(refused);
  struct bpf_fib_lookup route = {.tos = tos};
  if (is_of_cpe) search->path = (struct path4){server, tail->destination, ROLE_CPE_OUT, ROLE_COLLECTOR};
  else search->path = (struct path4){tail->destination, 0, ROLE_COLLECTOR, ROLE_CPE_OUT};
  refused = find_way4(skb, &route, segment, search, way);
  if (refused && !is_of_cpe) hand_over(flow);
  if (!refused) refused = follow(skb, flow, segment, is_of_cpe, time);
  if (refused) return pass(refused);
  if (is_of_cpe) {
    if (rewrite4(skb, tail, tail->source, server)) return drop();
    return send_on(&route, CARRIED_TO_COLLECTOR);
  }
  if (rewrite4(skb, tail, acs, tail->destination)) return drop();
  return send_on(&route, CARRIED_FROM_COLLECTOR);
}

static __noinline int carry4(struct __sk_buff *skb, __u32 slot, const struct configuration *now) {
  const __u32 headers = ETH_HLEN + sizeof(struct iphdr) + sizeof(struct tcphdr);
  if ((void *)(long)skb->data + headers > (void *)(long)skb->data_end && bpf_skb_pull_data(skb, headers))
    return pass(NOT_STEERED);
  void *data = (void *)(long)skb->data;
  if (data + headers > (void *)(long)skb->data_end) return pass(NOT_STEERED);
  struct iphdr *ip = data + ETH_HLEN;
  struct tcphdr *tcp = data + ETH_HLEN + sizeof *ip;
  struct ip4_tail tail = {*(__u16 *)&ip->ttl, ip->check, ip->saddr, ip->daddr};
  struct search4 search = {.arrival = {.slot = slot, .ifindex = skb->ifindex, .epoch = foreign_epoch()}};
  search.arrival.source = tail.source;
  search.arrival.destination = tail.destination;
  search.arrival.ports = *(__u32 *)tcp;
  struct way4 *way = way_at4(&search.arrival);
  if (!way) return pass(NOT_STEERED);
  search.is_known = is_known4(way, &search.arrival);
  __u32 acs = now->acs4;
  __u32 itms = now->itms4;
  /* Or the compiler would choose between their addresses. */
  asm volatile("" : "+r"(acs), "+r"(itms));
  search.role = search.is_known ? way->role : role_of(slot, skb->ifindex);
  int is_to_acs = (search.role & ROLE_CPE_IN) && tail.destination == acs;
  int is_direct = (search.role & ROLE_CPE_IN) && tail.destination == itms;
  int is_of_itms = (search.role & ROLE_ITMS) && tail.source == itms;
  int is_of_collector = (search.role & ROLE_COLLECTOR) && !is_to_acs && !is_direct && !is_of_itms;
  if (acs == 0 || !(is_to_acs || is_direct || is_of_itms || is_of_collector)) return pass(NOT_STEERED);

  if (ip->version != 4 || ip->ihl < 5) return pass(UNREADABLE);
  if (ip->protocol != IPPROTO_TCP) return pass(NOT_TCP);
  if (ip->ihl > 5) return pass(OPTIONS);
  if (ip->frag_off & bpf_htons(FRAGMENT_BITS)) return pass(FRAGMENT);
  if (ip->ttl < 2) return pass(TTL);
  __u32 bytes = bpf_ntohs(ip->tot_len);
  if (!is_length_right(skb, bytes) || !is_header_sum_right(ip)) return pass(UNREADABLE);
  __u8 tos = ip->tos;
  struct segment segment = {};
  __u32 refused = read_tcp(tcp, sizeof *ip, bytes - sizeof *ip, &segment);
  if (refused) return pass(refused);

  int is_of_server = is_of_itms || is_of_collector;
  __u32 cpe = is_of_server ? tail.destination : tail.source;
  struct flow4_key key = {.cpe = cpe};
  key.cpe_port = is_of_server ? segment.destination : segment.source;
  key.port = is_of_server ? segment.source : segment.destination;
  search.class = search.is_known ? way->class : class_of(slot, key.port);
  if (!search.class || (is_of_collector && search.class != PORT_REPORT)) return pass(NOT_STEERED);
  if (!search.is_known && !is_cpe4(slot, cpe)) return pass(NOT_A_CPE);
  if (is_direct) {
    __u64 spoke = bpf_ktime_get_boot_ns();
    if (!bpf_map_lookup_elem(&foreign4, &key)) begin_foreign_epoch();
    bpf_map_update_elem(&foreign4, &key, &spoke, BPF_ANY);
    return pass(DIRECT);
  }
  if (search.class == PORT_REPORT) {
    struct flow *flow = bpf_map_lookup_elem(&flows4, &key);
    if (flow && flow->numbers.state != FLOW_GONE) {
      if (is_of_itms) return pass(is_syn(&segment) ? SYN : DIVERTED);
      return follow4(skb, acs, flow, &segment, &search, way, &tail, tos, !is_of_server);
    }
  }
  if (is_of_collector) return pass(NOT_STEERED);
  __u32 hash = opening_hash4(&key);
  int is_answer = is_of_itms && search.class == PORT_REPORT && is_syn(&segment) && (segment.flags & TCP_ACK);
  if (is_answer) {
    if (!answers(hash, &segment)) return pass(SYN);
  } else if (is_syn(&segment) && search.class == PORT_REPORT) {
    if (!is_of_itms) asks(hash, &segment);
    return pass(SYN);
  }
  if (!search.is_known && is_watched4(cpe)) return pass(WATCHED);
  if (is_of_itms && !search.is_known) {
    __u64 *spoke = bpf_map_lookup_elem(&foreign4, &key);
    if (spoke && since(*spoke) < FOREIGN_NS) return pass(FOREIGN);
  }
  if (search.class == PORT_REPORT && could_overtake(hash)) return pass(OVERTAKING);

  struct bpf_fib_lookup route = {.tos = tos};
  if (is_of_itms) search.path = (struct path4){tail.destination, 0, ROLE_ITMS, ROLE_CPE_OUT};
  else search.path = (struct path4){itms, tail.destination, ROLE_CPE_OUT, ROLE_ITMS};
  refused = find_way4(skb, &route, &segment, &search, way);
  if (refused) return pass(refused);
  if (is_answer && !tell_of_itms(skb, &segment)) {
    answers_slowly(hash);
    return pass(SYN);
  }

  if (is_of_itms) {
    if (rewrite4(skb, &tail, acs, tail.destination)) return drop();
    return send_on(&route, CARRIED_FROM_ITMS);
  }
  if (rewrite4(skb, &tail, tail.source, itms)) return drop();
  return send_on(&route, CARRIED_TO_ITMS);
}

#endif
