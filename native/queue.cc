#include "queue.h"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <sys/time.h>
#include <cstring>
#include <ctime>

namespace acsplit {
namespace {

// The part of the send buffer that netlink_sendmsg keeps for itself.
constexpr size_t kSendBufferReserve = 32;
constexpr size_t kSmallestSend = kSlotBytes;
constexpr size_t kMostReportedErrors = 16;

size_t send_limit(int fd) {
  int granted = 0;
  socklen_t length = sizeof granted;
  if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &granted, &length) != 0) return kSmallestSend;
  return std::max(static_cast<size_t>(std::max(granted, 0)), kSmallestSend + kSendBufferReserve) - kSendBufferReserve;
}

// A slot's netlink message begins with its length; 0 means that the slot is empty.
uint32_t message_length(const uint8_t* slot) {
  uint32_t length;
  std::memcpy(&length, slot, sizeof length);
  return length;
}

void empty_slot(uint8_t* slot) { std::memset(slot, 0, sizeof(uint32_t)); }

// Node has made the socket non-blocking; this makes it block for a limited time. Calls that must not wait pass
// MSG_DONTWAIT.
void allow_waiting(int fd, long milliseconds) {
  const timeval limit = {0, milliseconds * 1000};
  const int flags = fcntl(fd, F_GETFL);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 || flags < 0) return;
  (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

int64_t monotonic_us() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000000} + now.tv_nsec / 1000;
}

bool is_transient(int error) { return error == EAGAIN || error == ENOBUFS || error == ENOMEM; }

}  // namespace

Queue::Queue(int fd, uint16_t first_queue, size_t capacity, uint8_t* journal, bool spins)
    : fd_(fd),
      first_queue_(first_queue),
      spins_(spins),
      send_bytes_(send_limit(fd)),
      own_journal_(journal == nullptr ? journal_bytes(capacity) : 0),
      journal_(reinterpret_cast<Journal*>(journal == nullptr ? own_journal_.data() : journal)),
      datagrams_(capacity),
      slots_(capacity),
      senders_(capacity),
      messages_(capacity) {
  verdict_errors_.reserve(kMostReportedErrors);
  allow_waiting(fd, kMostWaitMs);
}

// The slots of one region do not move, so recvmmsg's arguments are built once, and again if JavaScript moved the
// region.
void Queue::aim(const Batch& batch) {
  if (aimed_at_ == batch.region) return;
  aimed_at_ = batch.region;
  for (size_t i = 0; i < batch.capacity; i++) {
    slots_[i] = {batch.slot(i), kSlotBytes};
    msghdr& header = datagrams_[i].msg_hdr;
    header.msg_name = &senders_[i];
    header.msg_namelen = sizeof senders_[i];
    header.msg_iov = &slots_[i];
    header.msg_iovlen = 1;
  }
}

int Queue::receive_datagrams(size_t capacity, int flags) {
  int datagrams;
  do {
    datagrams = recvmmsg(fd_, datagrams_.data(), static_cast<unsigned>(capacity), flags, nullptr);
  } while (datagrams < 0 && errno == EINTR);
  return datagrams;
}

Queue::Received Queue::receive(const Batch& batch, bool may_wait) {
  aim(batch);
  const bool may_spin = may_wait && spins_;
  const int64_t until = may_spin ? monotonic_us() + kMostSpinUs : 0;
  int datagrams = receive_datagrams(batch.capacity, may_wait && !spins_ ? MSG_WAITFORONE : MSG_DONTWAIT);
  while (datagrams < 0 && errno == EAGAIN && may_spin) {
    const bool is_last = monotonic_us() >= until;
    datagrams = receive_datagrams(batch.capacity, is_last ? MSG_WAITFORONE : MSG_DONTWAIT);
    if (is_last) break;
  }
  const int error = datagrams < 0 ? errno : 0;
  journal_->counters.receive_calls++;
  count_ = sent_ = 0;
  for (int i = 0; i < datagrams; i++) {
    msghdr& header = datagrams_[i].msg_hdr;
    const size_t slot = static_cast<size_t>(i);
    const bool has_sender = header.msg_namelen >= sizeof(sockaddr_nl);
    header.msg_namelen = sizeof senders_[i];  // the kernel stores the name's length here: reset it for the next call
    if (has_sender && senders_[i].nl_pid != 0) {
      // From another process, not from the kernel.
      empty_slot(batch.slot(slot));
      journal_->counters.unparsed++;
      continue;
    }
    take(batch, {slot, datagrams_[i].msg_len, (header.msg_flags & MSG_TRUNC) != 0});
  }
  journal_->counters.received += count_;
  hold(batch);
  return {count_, error};
}

// From here on the rows are valid.
void Queue::hold(const Batch& batch) {
  batch.set_count(count_);
  if (count_ == 0) return;
  journal_->answered = 0;
  order_writes();
  journal_->phase = kHolding;
  journal_->counters.batches++;
}

// Every row has its verdict. The slots are emptied first, so that a process that dies in between leaves nothing to
// decide.
void Queue::let_go(const Batch& batch) {
  for (size_t row = 0; row < count_; row++) {
    const size_t slot = batch.slot_of(row);
    if (slot < batch.capacity) empty_slot(batch.slot(slot));
  }
  order_writes();
  journal_->attempts = 0;
  journal_->phase = kReading;
}

Queue::Recovered Queue::recover(const Batch& batch) {
  const bool was_held = journal_->phase == kHolding;
  if (was_held) {
    const size_t rows = batch.count();
    const size_t answered = std::min<size_t>(journal_->answered, rows);
    size_t decided = answered;
    while (decided < rows && batch.column(kVerdict)[decided] != kUndecided) decided++;
    // Some rows were decided, so the batch as a whole did not kill the process; the next row did, or something else.
    if (decided > 0) journal_->attempts = 0;
    count_ = decided;
    sent_ = answered;
    const int error = send_rows(batch, kRepeated);
    if (error != 0) return {0, false, error};
    // In place, and repeatable if we die here: finished rows are emptied, the others are as they came.
    for (size_t row = 0; row < rows; row++) {
      const size_t slot = batch.slot_of(row);
      if (slot == batch.capacity) continue;
      const size_t length = std::min<size_t>(static_cast<uint32_t>(batch.column(kLength)[row]), kPristineBytes);
      const size_t room = region_bytes(batch.capacity) - static_cast<uint32_t>(batch.column(kOffset)[row]);
      if (row < decided) empty_slot(batch.slot(slot));
      else std::memcpy(batch.region + static_cast<uint32_t>(batch.column(kOffset)[row]), pristine(slot), std::min(length, room));
    }
    order_writes();
    journal_->phase = kReading;
  }
  count_ = sent_ = 0;
  for (size_t slot = 0; slot < batch.capacity; slot++) {
    const size_t length = message_length(batch.slot(slot));
    if (length != 0) take(batch, {slot, length, length > kSlotBytes});
  }
  if (!was_held) journal_->counters.received += count_;
  journal_->counters.recovered += count_;
  if (count_ > 0) journal_->attempts++;
  const bool given_up = journal_->attempts >= kMostAttempts;
  if (given_up) {
    for (size_t row = 0; row < count_; row++) batch.column(kVerdict)[row] = kDrop;
    journal_->counters.given_up += count_;
  }
  hold(batch);
  return {count_, given_up, 0};
}

void Queue::retire() {
  for (size_t queue = 0; queue < Journal::kQueues; queue++) {
    if (journal_->seen[queue] == 0) continue;
    alignas(nlmsghdr) char bytes[256];
    nlmsghdr* message = nfq_nlmsg_put(bytes, NFQNL_MSG_VERDICT_BATCH, static_cast<int>(first_queue_ + queue));
    nfq_nlmsg_verdict_put(message, static_cast<int>(journal_->last_id[queue]), NF_DROP);
    // For these, "no such packet" is the expected answer.
    message->nlmsg_seq = kRepeated;
    (void)::send(fd_, message, message->nlmsg_len, MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

// Puts one datagram into the next row. There may be fewer rows than slots: refused verdicts arrive on the same socket.
void Queue::take(const Batch& batch, const Datagram& datagram) {
  uint8_t* slot = batch.slot(datagram.slot);
  const Message message = parse_message(slot, std::min<size_t>(datagram.length, kSlotBytes));
  if (message.kind != MessageKind::kPacket) {
    // Emptied before it is counted, so that a recovery does not count it again.
    empty_slot(slot);
    if (message.kind == MessageKind::kMalformed) journal_->counters.unparsed++;
    if (message.kind == MessageKind::kError) take_error(message);
    return;
  }
  const int32_t flags = message.flags | (datagram.is_cut ? kTruncated : 0);
  if ((flags & kTruncated) != 0) journal_->counters.truncated++;
  const size_t queue = static_cast<uint16_t>(message.queue - first_queue_);
  count_loss(queue, message.id);
  std::memcpy(pristine(datagram.slot), slot + message.offset, std::min(message.length, kPristineBytes));
  const size_t row = count_++;
  batch.column(kQueue)[row] = static_cast<int32_t>(queue);
  batch.column(kPacketId)[row] = static_cast<int32_t>(message.id);
  batch.column(kFlags)[row] = flags;
  batch.column(kOffset)[row] = static_cast<int32_t>(slot - batch.region + message.offset);
  batch.column(kLength)[row] = static_cast<int32_t>(message.length);
  batch.column(kVerdict)[row] = kUndecided;
  batch.column(kReason)[row] = 0;
}

void Queue::take_error(const Message& refusal) {
  const int error = refusal.error;
  if (error == ENOENT) {
    if (refusal.sequence != kRepeated) journal_->counters.verdicts_late++;
    return;
  }
  journal_->counters.verdict_errors++;
  const auto end = verdict_errors_.end();
  const bool is_known = std::find(verdict_errors_.begin(), end, error) != end;
  if (!is_known && verdict_errors_.size() < kMostReportedErrors) verdict_errors_.push_back(error);
}

// Ids count up by one per queue, including packets that did not fit into the receive buffer.
void Queue::count_loss(size_t queue, uint32_t id) {
  if (queue >= Journal::kQueues) return;
  const int32_t step = static_cast<int32_t>(id - journal_->last_id[queue]);
  if (journal_->seen[queue] != 0) {
    if (step > 1) journal_->counters.lost += static_cast<uint32_t>(step) - 1;
    if (step <= 0) return;  // a packet that a process read before it died
  }
  journal_->last_id[queue] = id;
  journal_->seen[queue] = 1;
}

int Queue::send(const Batch& batch) {
  const int error = send_rows(batch);
  if (error == 0) let_go(batch);
  return error;
}

int Queue::send_rows(const Batch& batch, uint32_t sequence) {
  size_t limit = send_bytes_;
  while (sent_ < count_) {
    const size_t assembled = messages_.assemble(batch, first_queue_, sent_, count_, limit, sequence);
    msghdr message;
    std::memset(&message, 0, sizeof message);
    message.msg_iov = messages_.pieces();
    message.msg_iovlen = messages_.piece_count();
    journal_->counters.send_calls++;
    if (sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
      sent_ += assembled;
      journal_->answered = static_cast<uint32_t>(sent_);
      journal_->counters.verdict_errors += messages_.refused();
      continue;
    }
    if (errno == EINTR) continue;
    if (!is_transient(errno) && errno != EMSGSIZE) return errno;
    // No memory for a message of this size: try smaller ones, down to a single verdict, then let the caller wait.
    if (assembled == 1) return is_transient(errno) ? EAGAIN : errno;
    limit = messages_.bytes() / 2;
  }
  return 0;
}

void Queue::abandon() {
  journal_->counters.verdict_errors += count_ - sent_;
  count_ = sent_ = 0;
}

int Queue::take_new_verdict_error() {
  if (verdict_errors_taken_ == verdict_errors_.size()) return 0;
  return verdict_errors_[verdict_errors_taken_++];
}

}  // namespace acsplit
