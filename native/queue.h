// One queue socket and one batch: receive into the slots, send the verdicts from them. No napi.
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
  // `fd` stays the caller's. The batch's region must outlive the calls of receive and send, `journal` this object:
  // journal_bytes(capacity) bytes, zeroed or of an earlier process; memory of our own when it is nullptr.
  Queue(int fd, uint16_t first_queue, size_t capacity, uint8_t* journal = nullptr);

  struct Received {
    size_t count;  // packets now in the batch
    int error;     // 0, EAGAIN: nothing to read, or what recvmmsg said
  };

  // Reads up to capacity datagrams into the slots and fills the columns, every verdict undecided. With `may_wait` it asks
  // again for kMostSpinUs, then sleeps in the kernel until there is one, kMostWaitMs at the most and rounded up to the
  // kernel's tick.
  Received receive(const Batch& batch, bool may_wait = false);

  // To sleep and to be woken takes two switches between tasks, which are longer than most pauses of a conversation: asking
  // on for so long halves a request's time through us (docs/benchmarks.md), and costs a core 4 % at 1000 pauses a second.
  static constexpr int64_t kMostSpinUs = 40;
  static constexpr long kMostWaitMs = 1;

  // What a dead process left in the region and the journal: sends the verdicts that it had decided, puts packets that
  // it may have half rewritten back as they came, and gives them as a batch to be decided. With `given_up` they have
  // killed too many processes already: they are to be sent as they stand, dropped. To be called before receive.
  struct Recovered {
    size_t count;
    bool given_up;
    int error;  // 0, or what sendmsg said
  };
  Recovered recover(const Batch& batch);

  // Drops whatever of the packets read so far has no verdict yet: to be called when all of a recovered batch are sent.
  void retire();

  // Sends the verdicts of the batch last received, from where the previous call stopped. 0: all are sent; EAGAIN: the
  // kernel is short of memory, call again later; else what sendmsg said of the first verdict not sent.
  int send(const Batch& batch);

  // Gives up on what is not sent yet and counts it as verdict errors.
  void abandon();

  const Counters& counters() const { return journal_->counters; }

  // A verdict error not reported before, each errno once; 0 when there is none. ENOENT is no error.
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
  size_t send_bytes_;
  size_t count_ = 0;
  size_t sent_ = 0;
  std::vector<uint8_t> own_journal_;
  Journal* journal_;
  std::vector<int> verdict_errors_;
  size_t verdict_errors_taken_ = 0;
  // Where recvmmsg writes: the slots of this region.
  const uint8_t* aimed_at_ = nullptr;
  std::vector<mmsghdr> datagrams_;
  std::vector<iovec> slots_;
  std::vector<sockaddr_nl> senders_;
  VerdictMessages messages_;
};

}  // namespace acsplit

#endif  // ACSPLIT_QUEUE_H_
