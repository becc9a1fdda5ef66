/* Diverted connections: who has one, and what the engine is told of it. Included by carry.bpf.c. */
#ifndef ACSPLIT_FAST_PATH_FLOWS_H
#define ACSPLIT_FAST_PATH_FLOWS_H

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
static __always_inline int is_expired(const struct flow *flow, __u64 now) {
  __u32 at = flow->numbers.state == FLOW_OFFERED ? CONTROL_OFFERED_MS : CONTROL_CARRIED_MS;
  __u32 *life = bpf_map_lookup_elem(&control, &at);
  return life && *life != 0 && (__s64)(now - flow->numbers.spoke) > *life * NS_PER_MS;
}

/* Whether the engine decides this packet, whatever its numbers; 0, or the reason to pass. */
static __always_inline __u32 is_engines(struct flow *flow, const struct segment *segment, int is_of_cpe, int is_watched,
                                        __u64 now) {
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
  if (!is_expired(flow, now)) return 0;
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
static __always_inline __u32 follow(struct __sk_buff *skb, struct flow *flow, const struct segment *segment, int is_of_cpe,
                                    __u64 now) {
  struct numbers *numbers = &flow->numbers;
  int is_data = segment->data > 0 && !is_alert(skb, segment);
  int is_told = is_of_cpe ? numbers->state == FLOW_OFFERED : is_data && is_copied(numbers, segment);
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

#endif
