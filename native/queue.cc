#include "queue.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace acsplit {
namespace {

// What netlink_sendmsg keeps of the send buffer for itself.
constexpr size_t kSendBufferReserve = 32;
constexpr size_t kSmallestSend = kSlotBytes;
constexpr size_t kMostReportedErrors = 16;

size_t send_limit(int fd) {
  int granted = 0;
  socklen_t length = sizeof granted;
  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &granted, &length) != 0) return kSmallestSend;
  return std::max(static_cast<size_t>(std::max(granted, 0)), kSmallestSend + kSendBufferReserve) - kSendBufferReserve;
}

bool is_transient(int error) { return error == EAGAIN || error == ENOBUFS || error == ENOMEM; }

}  // namespace

Queue::Queue(int fd, uint16_t first_queue, size_t capacity)
    : fd_(fd),
      first_queue_(first_queue),
      send_bytes_(send_limit(fd)),
      datagrams_(capacity),
      slots_(capacity),
      senders_(capacity),
      messages_(capacity) {
  verdict_errors_.reserve(kMostReportedErrors);
}

Queue::Received Queue::receive(const Batch& batch) {
  for (size_t i = 0; i < batch.capacity; i++) {
    slots_[i] = {batch.slot(i), kSlotBytes};
    msghdr& header = datagrams_[i].msg_hdr;
    header.msg_name = &senders_[i];
    header.msg_namelen = sizeof senders_[i];
    header.msg_iov = &slots_[i];
    header.msg_iovlen = 1;
  }
  int datagrams;
  do {
    datagrams = recvmmsg(fd_, datagrams_.data(), static_cast<unsigned>(batch.capacity), MSG_DONTWAIT, nullptr);
  } while (datagrams < 0 && errno == EINTR);
  const int error = datagrams < 0 ? errno : 0;
  counters_.receive_calls++;
  count_ = sent_ = 0;
  for (int i = 0; i < datagrams; i++) take(batch, datagrams_[i], senders_[i], batch.slot(i));
  batch.set_count(count_);
  if (count_ > 0) counters_.batches++;
  return {count_, error};
}

// One datagram into the next row. Rows can be fewer than slots: refused verdicts arrive on the same socket.
void Queue::take(const Batch& batch, const mmsghdr& datagram, const sockaddr_nl& from, uint8_t* slot) {
  const bool is_from_kernel = datagram.msg_hdr.msg_namelen < sizeof from || from.nl_pid == 0;
  const Message message = parse_message(slot, std::min<size_t>(datagram.msg_len, kSlotBytes));
  if (!is_from_kernel || message.kind == MessageKind::kMalformed) {
    counters_.unparsed++;
    return;
  }
  if (message.kind == MessageKind::kError) {
    if (message.error == ENOENT) {
      counters_.verdicts_late++;
      return;
    }
    counters_.verdict_errors++;
    const auto end = verdict_errors_.end();
    const bool is_known = std::find(verdict_errors_.begin(), end, message.error) != end;
    if (!is_known && verdict_errors_.size() < kMostReportedErrors) verdict_errors_.push_back(message.error);
    return;
  }
  if (message.kind == MessageKind::kOther) return;

  const bool is_cut = (datagram.msg_hdr.msg_flags & MSG_TRUNC) != 0;
  const int32_t flags = message.flags | (is_cut ? kTruncated : 0);
  if ((flags & kTruncated) != 0) counters_.truncated++;
  const size_t queue = static_cast<uint16_t>(message.queue - first_queue_);
  count_loss(queue, message.id);
  const size_t row = count_++;
  batch.column(kQueue)[row] = static_cast<int32_t>(queue);
  batch.column(kPacketId)[row] = static_cast<int32_t>(message.id);
  batch.column(kFlags)[row] = flags;
  batch.column(kOffset)[row] = static_cast<int32_t>(slot - batch.region + message.offset);
  batch.column(kLength)[row] = static_cast<int32_t>(message.length);
  batch.column(kVerdict)[row] = kDrop;
  batch.column(kReason)[row] = 0;
  counters_.received++;
}

// Ids count up by one per queue, also for packets that did not fit into the receive buffer.
void Queue::count_loss(size_t queue, uint32_t id) {
  if (queue >= kCountedQueues) return;
  const int32_t step = static_cast<int32_t>(id - last_id_[queue]);
  if (seen_[queue] && step > 1) counters_.lost += static_cast<uint32_t>(step) - 1;
  last_id_[queue] = id;
  seen_[queue] = true;
}

int Queue::send(const Batch& batch) {
  size_t limit = send_bytes_;
  while (sent_ < count_) {
    const size_t assembled = messages_.assemble(batch, first_queue_, sent_, count_, limit);
    msghdr message;
    std::memset(&message, 0, sizeof message);
    message.msg_iov = messages_.pieces();
    message.msg_iovlen = messages_.piece_count();
    counters_.send_calls++;
    if (sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
      sent_ += assembled;
      counters_.verdict_errors += messages_.refused();
      continue;
    }
    if (errno == EINTR) continue;
    if (!is_transient(errno) && errno != EMSGSIZE) return errno;
    // No memory for a message of this size: try smaller ones down to a single verdict, then let the caller wait.
    if (assembled == 1) return is_transient(errno) ? EAGAIN : errno;
    limit = messages_.bytes() / 2;
  }
  return 0;
}

void Queue::abandon() {
  counters_.verdict_errors += count_ - sent_;
  count_ = sent_ = 0;
}

int Queue::take_new_verdict_error() {
  if (verdict_errors_taken_ == verdict_errors_.size()) return 0;
  return verdict_errors_[verdict_errors_taken_++];
}

}  // namespace acsplit
