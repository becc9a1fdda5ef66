/* A diverted connection's numbers, and what they prove: src/tables/connection-numbers.ts and src/splitter/decide/ in C, for
 * a connection that is established and not closing. Everything else is the engine's. Called with the flow's lock held. */
#ifndef ACSPLIT_FAST_PATH_NUMBERS_H
#define ACSPLIT_FAST_PATH_NUMBERS_H

#define NO_SCALE 15
#define GAP (1 << 20)
#define MIN_ACK_WINDOW (1 << 16)

/* The first sequence number less the second. */
static __always_inline __s32 beyond(__u32 one, __u32 other) {
  return (__s32)(one - other);
}

/* Within a window numbers may jump at once, when a lost packet is repeated. */
static __always_inline int is_gap(__s32 difference, __s32 window) {
  __s64 most = window > 0 ? GAP + (__s64)window : GAP;
  return difference > most || difference < -most;
}

static __always_inline __u32 scaled(const struct numbers *numbers, __u32 window, __u32 shift) {
  __u32 cpe = numbers->marks & SCALE_MASK;
  __u32 server = (numbers->marks >> SERVER_SCALE_SHIFT) & SCALE_MASK;
  if (cpe == NO_SCALE || server == NO_SCALE) return window;
  return window << (shift ? server : cpe);
}

/* Whether an ACK, data or FIN is the CPE's. */
static __always_inline int is_of_cpe_itself(const struct numbers *numbers, const struct segment *segment) {
  if (!(segment->flags & TCP_ACK)) return 0;
  __s32 into = beyond(segment->sequence, numbers->server_ack);
  if (into < -1 || into > beyond(numbers->server_edge, numbers->server_ack)) return 0;
  __s32 unacknowledged = beyond(numbers->server_next, segment->acknowledgement);
  __s32 window = beyond(numbers->cpe_edge, numbers->cpe_ack);
  if (unacknowledged < 0 || unacknowledged > (window > MIN_ACK_WINDOW ? window : MIN_ACK_WINDOW)) return 0;
  return numbers->state == FLOW_CARRIED || beyond(segment->acknowledgement, numbers->cpe_ack) >= 0;
}

/* 0: carry it; else the reason to pass. */
static __always_inline __u32 judge_cpe(struct numbers *numbers, const struct segment *segment, int is_data, __u64 now) {
  if (numbers->state != FLOW_OFFERED && numbers->state != FLOW_CARRIED) return DIVERTED;
  if (segment->flags & TCP_RST) {
    if (segment->sequence != numbers->server_ack && segment->sequence != numbers->cpe_next) return UNPROVEN;
    numbers->state = FLOW_HANDED;
    return ENDING;
  }
  if (!is_of_cpe_itself(numbers, segment)) return UNPROVEN;
  if (segment->flags & TCP_FIN) {
    numbers->state = FLOW_HANDED;
    return ENDING;
  }
  numbers->state = FLOW_CARRIED;
  __u32 end = segment->sequence + segment->data;
  if (beyond(end, numbers->cpe_next) > 0) {
    if (is_data) {
      numbers->head_at = segment->acknowledgement;
      numbers->marks |= ASKED;
      numbers->data = now;
    }
    if (beyond(numbers->server_edge + 1, end) >= 0) numbers->cpe_next = end;
  }
  if (beyond(segment->acknowledgement, numbers->cpe_ack) > 0) numbers->cpe_ack = segment->acknowledgement;
  __u32 edge = segment->acknowledgement + scaled(numbers, segment->window, 0);
  if (beyond(edge, numbers->cpe_edge) > 0) numbers->cpe_edge = edge;
  numbers->spoke = now;
  return 0;
}

static __always_inline int is_copied(const struct numbers *numbers, const struct segment *segment) {
  if (beyond(segment->acknowledgement, numbers->server_ack) > 0) return 1;
  return (numbers->marks & SEGMENTS_MASK) >> SEGMENTS_SHIFT < COPIED_SEGMENTS;
}

/* The same for its collector, which cannot be forged. */
static __always_inline __u32 judge_server(struct numbers *numbers, const struct segment *segment, int is_data, __u64 now) {
  if (numbers->state != FLOW_OFFERED && numbers->state != FLOW_CARRIED) return DIVERTED;
  __u32 end = segment->sequence + segment->data;
  __s32 ahead = beyond(end, numbers->server_next);
  __s32 acknowledged = beyond(segment->acknowledgement, numbers->server_ack);
  if ((segment->flags & (TCP_ACK | TCP_FIN | TCP_RST)) != TCP_ACK || numbers->state == FLOW_OFFERED ||
      is_gap(ahead, beyond(numbers->cpe_edge, numbers->cpe_ack)) ||
      is_gap(acknowledged, beyond(numbers->server_edge, numbers->server_ack)) ||
      /* It has had the CPE's FIN. */
      segment->acknowledgement == numbers->cpe_next + 1) {
    numbers->state = FLOW_HANDED;
    return ENDING;
  }
  __u32 edge = segment->acknowledgement + scaled(numbers, segment->window, 1);
  if (acknowledged > 0) {
    numbers->server_ack = segment->acknowledgement;
    numbers->marks &= ~SEGMENTS_MASK;
  }
  if (is_data) {
    if (ahead > 0) numbers->data = now;
    if ((numbers->marks & SEGMENTS_MASK) >> SEGMENTS_SHIFT <= COPIED_SEGMENTS) numbers->marks += 1U << SEGMENTS_SHIFT;
  }
  if (ahead > 0) numbers->server_next = end;
  if (beyond(edge, numbers->server_edge) > 0) numbers->server_edge = edge;
  numbers->spoke = now;
  return 0;
}

#endif
