// One queue socket and one batch: receives into the slots and sends the verdicts from them. No napi.
#ifndef ACSPLIT_QUEUE_H_
#define ACSPLIT_QUEUE_H_

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "batch.h"
#include "journal.h"
#include "message.h"
#include "verdicts.h"

namespace acsplit {

class Queue {
 public:
  // The caller keeps ownership of `fd`. The batch's region must outlive the calls of receive and send. `journal` must
  // outlive this object: journal_bytes(capacity) bytes, zeroed or from an earlier process; allocated here when nullptr.
  // `spins`: see receive.
  Queue(int fd, uint16_t first_queue, size_t capacity, uint8_t* journal = nullptr, bool spins = true);

  struct Received {
    size_t count;  // packets now in the batch
    int error;     // 0, EAGAIN: nothing to read, or the errno of recvmmsg
  };

  // Reads up to capacity datagrams into the slots and fills the columns, with every verdict undecided. With `may_wait`
  // it polls for up to kMostSpinUs if it spins, then sleeps in the kernel until there is a datagram, for at most kMostWaitMs,
  // rounded up to the kernel's tick.
  Received receive(const Batch& batch, bool may_wait = false);

  // Sleeping and waking take two task switches, which last longer than most pauses in a conversation. Polling for this
  // long halves a request's time through us (docs/benchmarks.md) and costs 4 % of a core at 1000 pauses a second.
  static constexpr int64_t kMostSpinUs = 40;
  static constexpr long kMostWaitMs = 1;

  // The batch that a dead process left in region and journal: sends the verdicts it had decided, restores packets it
  // may have half rewritten, and returns them as a batch to decide. With `given_up` they have already killed too many
  // processes: send them as they are, dropped. Call this before receive.
  struct Recovered {
    size_t count;
    bool given_up;
    int error;  // 0, or the errno of sendmsg
  };
  Recovered recover(const Batch& batch);

  // Drops those packets read so far that have no verdict yet. Call this when all of a recovered batch are sent.
  void retire();

  // Sends the verdicts of the last received batch, from where the previous call stopped. 0: all are sent; EAGAIN: the
  // kernel is short of memory, call again later; otherwise sendmsg's errno for the first verdict not sent.
  int send(const Batch& batch);

  // Gives up on unsent verdicts and counts them as verdict errors.
  void abandon();

  const Counters& counters() const { return journal_->counters; }

  // A verdict error not yet reported, each errno once; 0 when there is none. ENOENT is not an error.
  int take_new_verdict_error();

 private:
  struct Datagram {
    size_t slot;
    size_t length;
    bool is_cut;
  };
  void aim(const Batch& batch);
  int receive_datagrams(size_t capacity, int flags);
  void take(const Batch& batch, const Datagram& datagram);
  void take_error(const Message& refusal);
  void count_loss(size_t queue, uint32_t id);
  int send_rows(const Batch& batch, uint32_t sequence = 0);
  void hold(const Batch& batch);
  void let_go(const Batch& batch);
  uint8_t* pristine(size_t slot) const { return reinterpret_cast<uint8_t*>(journal_) + kPristineAt + slot * kPristineBytes; }

  int fd_;
  uint16_t first_queue_;
  bool spins_;
  size_t send_bytes_;
  size_t count_ = 0;
  size_t sent_ = 0;
  std::vector<uint8_t> own_journal_;
  Journal* journal_;
  std::vector<int> verdict_errors_;
  size_t verdict_errors_taken_ = 0;
  // The region whose slots recvmmsg writes to.
  const uint8_t* aimed_at_ = nullptr;
  std::vector<mmsghdr> datagrams_;
  std::vector<iovec> slots_;
  std::vector<sockaddr_nl> senders_;
  VerdictMessages messages_;
};

}  // namespace acsplit

#endif  // ACSPLIT_QUEUE_H_
