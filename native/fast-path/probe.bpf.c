/* Rewrites any packet as carry.bpf.c does, without asking maps or routes. User space runs it once per family over a packet
 * before the program is attached: a kernel that lacks one of the checksum flags would load that, and then drop all. */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "rewrite.h"

char program_license[] SEC("license") = "GPL";

SEC("tc")
int acsplit_probe(struct __sk_buff *skb) {
  void *data = (void *)(long)skb->data;
  void *end = (void *)(long)skb->data_end;
  struct ipv6hdr *ip6 = data + ETH_HLEN;
  struct iphdr *ip4 = data + ETH_HLEN;
  long failed = -1;
  if (skb->protocol == bpf_htons(ETH_P_IP) && (void *)(ip4 + 1) <= end) {
    struct ip4_tail tail = {*(__u16 *)&ip4->ttl, ip4->check, ip4->saddr, ip4->daddr};
    failed = rewrite4(skb, &tail, tail.source, ~tail.destination);
  } else if (skb->protocol == bpf_htons(ETH_P_IPV6) && (void *)(ip6 + 1) <= end) {
    __u32 from[4];
    __u32 to[4];
    for (int i = 0; i < 4; i++) {
      from[i] = ip6->daddr.in6_u.u6_addr32[i];
      to[i] = ~from[i];
    }
    failed = rewrite6(skb, IP6(daddr), from, to, ip6->hop_limit);
  }
  return failed ? TC_ACT_SHOT : TC_ACT_OK;
}
