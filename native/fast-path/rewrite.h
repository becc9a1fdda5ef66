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

/* Replaces one address, and takes one from the time to live. RFC 1624 equation 3, as src/packet/rewrite.ts. */
static __always_inline long rewrite4(struct __sk_buff *skb, __u32 at, __u32 from, __u32 to, __u16 life_word) {
  __u16 shorter = life_word - bpf_htons(0x0100);
  __u8 ttl = bpf_ntohs(shorter) >> 8;
  long failed = bpf_l4_csum_replace(skb, TCP4(check), from, to, BPF_F_PSEUDO_HDR | 4);
  failed |= bpf_l3_csum_replace(skb, IP4(check), from, to, 4);
  failed |= bpf_l3_csum_replace(skb, IP4(check), life_word, shorter, 2);
  failed |= bpf_skb_store_bytes(skb, at, &to, sizeof to, 0);
  failed |= bpf_skb_store_bytes(skb, IP4(ttl), &ttl, sizeof ttl, 0);
  return failed;
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
