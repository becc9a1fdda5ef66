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
#include "message.h"
#include "verdicts.h"

namespace acsplit {

// Every one only grows.
struct Counters {
  uint64_t batches = 0;
  uint64_t received = 0;       // packets
  uint64_t receive_calls = 0;  // recvmmsg
  uint64_t send_calls = 0;     // sendmsg
  uint64_t verdict_errors = 0;  // verdicts the kernel refused, or that we did (a payload that must not go back)
  uint64_t verdicts_late = 0;   // verdicts for packets the kernel no longer had (ENOENT)
  uint64_t truncated = 0;       // packets whose tail is missing
  uint64_t unparsed = 0;        // messages without a legible packet
  uint64_t lost = 0;            // packets between two consecutive ids of a queue: the receive buffer was full
};

class Queue {
 public:
  // Loss is counted for this many queues from the first on; others are served all the same.
  static constexpr size_t kCountedQueues = 16;

  // `fd` stays the caller's. The batch's region must outlive the calls of receive and send.
  Queue(int fd, uint16_t first_queue, size_t capacity);

  struct Received {
    size_t count;  // packets now in the batch
    int error;     // 0, EAGAIN: nothing to read, or what recvmmsg said
  };

  // Reads up to capacity datagrams into the slots and fills the columns, every verdict set to drop.
  Received receive(const Batch& batch);

  // Sends the verdicts of the batch last received, from where the previous call stopped. 0: all are sent; EAGAIN: the
  // kernel is short of memory, call again later; else what sendmsg said of the first verdict not sent.
  int send(const Batch& batch);

  // Gives up on what is not sent yet and counts it as verdict errors.
  void abandon();

  const Counters& counters() const { return counters_; }

  // A verdict error not reported before, each errno once; 0 when there is none. ENOENT is no error.
  int take_new_verdict_error();

 private:
  void take(const Batch& batch, const mmsghdr& datagram, const sockaddr_nl& from, uint8_t* slot);
  void count_loss(size_t queue, uint32_t id);

  int fd_;
  uint16_t first_queue_;
  size_t send_bytes_;
  size_t count_ = 0;
  size_t sent_ = 0;
  Counters counters_;
  uint32_t last_id_[kCountedQueues] = {0};
  bool seen_[kCountedQueues] = {false};
  std::vector<int> verdict_errors_;
  size_t verdict_errors_taken_ = 0;
  std::vector<mmsghdr> datagrams_;
  std::vector<iovec> slots_;
  std::vector<sockaddr_nl> senders_;
  VerdictMessages messages_;
};

}  // namespace acsplit

#endif  // ACSPLIT_QUEUE_H_
