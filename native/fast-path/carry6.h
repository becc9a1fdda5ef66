/* What is done with an IPv6 packet. carry4.h does the same with IPv4. Included by carry.bpf.c. */
#ifndef ACSPLIT_FAST_PATH_CARRY6_H
#define ACSPLIT_FAST_PATH_CARRY6_H

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
  __u64 time = bpf_ktime_get_boot_ns();
  if (!is_of_cpe && !is_same6(source, server)) return pass(NOT_STEERED);
  int is_watched = is_of_cpe ? is_watched6(source) : is_watched6(destination);
  __u32 refused = is_engines(flow, segment, is_of_cpe, is_watched, time);
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
  if (!refused) refused = follow(skb, flow, segment, is_of_cpe, time);
  if (refused) return pass(refused);
  if (is_of_cpe) {
    if (rewrite6(skb, IP6(daddr), destination, server, hop_limit)) return drop();
    return send_on(&route, CARRIED_TO_COLLECTOR);
  }
  if (rewrite6(skb, IP6(saddr), source, now->acs6, hop_limit)) return drop();
  return send_on(&route, CARRIED_FROM_COLLECTOR);
}

static __noinline int carry6(struct __sk_buff *skb, __u32 slot, const struct configuration *now) {
  __u32 role = role_of(slot, skb->ifindex);
  if (!role) return pass(NOT_STEERED);
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

#endif
