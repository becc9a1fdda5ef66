/* What changes in a packet that is sent on: one address, a hop less to live, and the checksums. */
#ifndef ACSPLIT_FAST_PATH_REWRITE_H
#define ACSPLIT_FAST_PATH_REWRITE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP4(field) (ETH_HLEN + offsetof(struct iphdr, field))
#define TCP4(field) (ETH_HLEN + sizeof(struct iphdr) + offsetof(struct tcphdr, field))

/* An IPv4 header from the time to live on. */
struct ip4_tail {
  __u16 life_word;
  __u16 check;
  __u32 source;
  __u32 destination;
};

static __always_inline __u32 halves(__u32 word) {
  return (word & 0xffff) + (word >> 16);
}

/* Gives the packet these addresses, and takes one from the time to live. RFC 1624 equation 3, as src/packet/rewrite.ts. The
 * changes of the header cancel out in its sum, so a hardware's sum of the whole packet stays right. */
static __always_inline long rewrite4(struct __sk_buff *skb, struct ip4_tail *tail, __u32 source, __u32 destination) {
  __u64 wide = (__u64)(__u32)~tail->source + source + (__u32)~tail->destination + destination;
  wide = (wide & 0xffffffff) + (wide >> 32);
  __u32 difference = (wide & 0xffffffff) + (wide >> 32);
  long failed = bpf_l4_csum_replace(skb, TCP4(check), 0, difference, BPF_F_PSEUDO_HDR);
  __u16 shorter = tail->life_word - bpf_htons(0x0100);
  __u32 sum = (__u16)~tail->check + halves(difference) + (__u16)~tail->life_word + shorter;
  *tail = (struct ip4_tail){shorter, ~halves(halves(sum)), source, destination};
  return failed | bpf_skb_store_bytes(skb, IP4(ttl), tail, sizeof *tail, 0);
}

#define IP6(field) (ETH_HLEN + offsetof(struct ipv6hdr, field))
#define TCP6(field) (ETH_HLEN + sizeof(struct ipv6hdr) + offsetof(struct tcphdr, field))

/* No header checksum absorbs the address: BPF_F_RECOMPUTE_CSUM keeps a hardware's sum of the whole packet right, which
 * BPF_F_PSEUDO_HDR alone would spoil. */
static __always_inline long rewrite6(struct __sk_buff *skb, __u32 at, __u32 *from, const __u32 *wanted, __u8 hop_limit) {
  __u32 to[4] = {wanted[0], wanted[1], wanted[2], wanted[3]};
  __u8 fewer = hop_limit - 1;
  long difference = bpf_csum_diff(from, 16, to, sizeof to, 0);
  if (difference < 0) return difference;
  long failed = bpf_l4_csum_replace(skb, TCP6(check), 0, difference, BPF_F_PSEUDO_HDR);
  failed |= bpf_skb_store_bytes(skb, at, to, sizeof to, BPF_F_RECOMPUTE_CSUM);
  failed |= bpf_skb_store_bytes(skb, IP6(hop_limit), &fewer, sizeof fewer, BPF_F_RECOMPUTE_CSUM);
  return failed;
}

#endif
