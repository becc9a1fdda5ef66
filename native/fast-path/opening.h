/* Connections to the ITMS while they open. Their SYNs wait in the queue, and what follows is carried, so a repeated SYN
 * could reach the ITMS after the connection's end, and draw a RST. Whatever may have such a packet before it
 * goes the same way. A cache, overwritten freely: what it has forgotten is carried. */
#ifndef ACSPLIT_FAST_PATH_OPENING_H
#define ACSPLIT_FAST_PATH_OPENING_H

/* A CPE gives up its SYN after about 127 s. PinCache in src/tables/pin-cache.ts */
#define OPENING_MS 130000

MAP(BPF_MAP_TYPE_ARRAY, __u32, struct opening, MAX_OPENINGS, 0) openings SEC(".maps");

static __always_inline __u32 now_ms(void) {
  return bpf_ktime_get_boot_ns() / 1000000;
}

static __always_inline __u32 mixed(__u32 hash, __u32 word) {
  hash = (hash ^ word) * 0x9e3779b1;
  return hash ^ (hash >> 15);
}

static __always_inline __u32 opening_hash4(const struct flow4_key *key) {
  return mixed(mixed(0, key->cpe), (__u32)key->cpe_port << 16 | key->port);
}

static __always_inline __u32 opening_hash6(const struct flow6_key *key) {
  __u32 hash = mixed(mixed(mixed(mixed(0, key->cpe[0]), key->cpe[1]), key->cpe[2]), key->cpe[3]);
  return mixed(hash, (__u32)key->cpe_port << 16 | key->port);
}

static __always_inline struct opening *opening_at(__u32 hash) {
  __u32 at = (hash * 0x85ebca6b) >> (32 - OPENINGS_BITS);
  return bpf_map_lookup_elem(&openings, &at);
}

static __always_inline int is_opening(const struct opening *opening, __u32 hash) {
  return opening->hash == hash && opening->state != OPENING_NONE && now_ms() - opening->ms < OPENING_MS;
}

/* A SYN of the CPE goes to the engine. */
static __always_inline void asks(__u32 hash, const struct segment *segment) {
  struct opening *opening = opening_at(hash);
  if (!opening) return;
  int is_repeated = is_opening(opening, hash) && opening->isn == segment->sequence;
  opening->state = is_repeated ? OPENING_REPEATED : OPENING_ASKED;
  opening->isn = segment->sequence;
  opening->hash = hash;
  opening->ms = now_ms();
}

/* Whether a SYN+ACK of the ITMS may be carried. */
static __always_inline int answers(__u32 hash, const struct segment *segment) {
  struct opening *opening = opening_at(hash);
  /* Nobody saw its SYN: what the CPE sends may not be seen either. */
  if (!opening || !is_opening(opening, hash)) return 1;
  int is_its = opening->state != OPENING_REPEATED && opening->isn == segment->acknowledgement - 1;
  opening->state = is_its ? OPENING_ANSWERED : OPENING_REPEATED;
  opening->ms = now_ms();
  return is_its;
}

/* A SYN+ACK goes to the engine after all. */
static __always_inline void answers_slowly(__u32 hash) {
  struct opening *opening = opening_at(hash);
  if (opening && opening->hash == hash) opening->state = OPENING_REPEATED;
}

/* Whether another packet of the connection could overtake one that waits in the queue. */
static __always_inline int could_overtake(__u32 hash) {
  struct opening *opening = opening_at(hash);
  if (!opening || opening->hash != hash) return 0;
  __u32 state = opening->state;
  if (state == OPENING_NONE || state == OPENING_ANSWERED || !is_opening(opening, hash)) return 0;
  /* The queues are gone with the engine. */
  if (is_engine_dead()) return 0;
  opening->state = OPENING_REPEATED;
  return 1;
}

#endif
