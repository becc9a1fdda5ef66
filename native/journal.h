// The verdict loop's record of the batch in hand, in memory that outlives its process, so that the next process can
// continue where this one was killed. Plain data: no napi, no sockets. docs/decisions/crash-only.md
//
//     Journal                       phase, rows answered, ids, counters
//     bytes pristine[capacity]      kPristineBytes each: how each slot's packet began before it was rewritten
//
// src/engine/shared/journal.ts reads it while the loop runs; the addon exports the offsets and a test compares them.
#ifndef ACSPLIT_JOURNAL_H_
#define ACSPLIT_JOURNAL_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace acsplit {

// All of them only grow.
struct Counters {
  uint64_t batches = 0;
  uint64_t received = 0;        // packets
  uint64_t receive_calls = 0;   // waits for packets, of any length
  uint64_t send_calls = 0;      // sendmsg
  uint64_t verdict_errors = 0;  // verdicts refused by the kernel, or by us (a payload that must not go back)
  uint64_t verdicts_late = 0;   // verdicts for packets the kernel no longer had (ENOENT)
  uint64_t truncated = 0;       // packets whose tail is missing
  uint64_t unparsed = 0;        // messages without a legible packet
  uint64_t lost = 0;            // packets between two consecutive ids of a queue: the receive buffer was full
  uint64_t recovered = 0;       // packets read by a dead process and decided by this one
  uint64_t given_up = 0;        // packets of a batch that killed two processes: dropped undecided
};

constexpr size_t kCounters = sizeof(Counters) / sizeof(uint64_t);
constexpr const char* kCounterNames[kCounters] = {"batches",   "received",     "receiveCalls", "sendCalls",
                                                  "verdictErrors", "verdictsLate", "truncated",    "unparsed",
                                                  "lost",      "recovered",    "givenUp"};

enum Phase : uint32_t {
  // Slots whose message has a length hold packets that nobody has decided.
  kReading = 0,
  // The batch's rows are valid; `answered` of them have had their verdict sent.
  kHolding = 1,
};

struct Journal {
  // Losses are counted, and ids remembered, for this many queues from the first one; further queues work without that.
  static constexpr size_t kQueues = 16;

  uint32_t phase;
  uint32_t answered;
  uint32_t attempts;  // processes that took over the batch from a dead one, since one last decided some of it
  uint32_t last_id[kQueues];
  uint32_t seen[kQueues];  // whether last_id is valid
  Counters counters;
};

constexpr size_t kPristineAt = 512;
static_assert(sizeof(Journal) <= kPristineAt, "the pristine bytes follow");

// Covers everything that rewriting touches: no ICMPv6 error, including the packet it quotes, is longer. [RFC 4443 2.4
// (c)]
constexpr size_t kPristineBytes = 1280;

// A batch that kills this many processes in a row without a decision is dropped.
constexpr uint32_t kMostAttempts = 2;

constexpr size_t journal_bytes(size_t capacity) { return kPristineAt + capacity * kPristineBytes; }

// Stores before this call are in memory before those after it, if the process is killed in between. Only the compiler
// needs to be told: a killed thread stops between two instructions, and what it has stored is there.
inline void order_writes() { std::atomic_signal_fence(std::memory_order_seq_cst); }

}  // namespace acsplit

#endif  // ACSPLIT_JOURNAL_H_
