// Receive and send over a pair of connected sockets in the kernel's place: full buffers, cut datagrams, lost ids.
#include "../../native/queue.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "check.h"
#include "messages.h"

using namespace acsplit;

namespace {

constexpr uint16_t kFirstQueue = 100;

struct Pair {
  Pair() { CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0); }
  ~Pair() {
    close(ends[0]);
    close(ends[1]);
  }
  void feed(const Bytes& datagram) const {
    CHECK(send(ends[1], datagram.data(), datagram.size(), 0) == static_cast<ssize_t>(datagram.size()));
  }
  int ends[2];
};

struct Region {
  explicit Region(size_t capacity) : memory(new uint8_t[region_bytes(capacity)]()), batch{memory.get(), capacity} {}
  std::unique_ptr<uint8_t[]> memory;
  Batch batch;
};

// A second large attribute follows the payload.
Bytes larger_than_a_slot(uint16_t queue, uint32_t id) {
  Bytes bytes = packet_message(queue, id, Bytes(60000, 7));
  const nlattr attribute = {20000, NFQA_SECCTX};
  const size_t at = bytes.size();
  bytes.resize(at + attribute.nla_len);
  std::memcpy(&bytes[at], &attribute, sizeof attribute);
  const uint32_t length = static_cast<uint32_t>(bytes.size());
  std::memcpy(bytes.data(), &length, sizeof length);
  CHECK(length > kSlotBytes);
  return bytes;
}

void check_receive() {
  Pair pair;
  Region region(16);
  Queue queue(pair.ends[0], kFirstQueue, 16);
  CHECK(queue.receive(region.batch).error == EAGAIN);

  pair.feed(packet_message(100, 10, {1, 2, 3}, NFQA_SKB_GSO));
  pair.feed(error_message(-ENOENT));
  pair.feed(packet_message(102, 0xffffffff, {4}));
  pair.feed(error_message(-EPERM));
  pair.feed(error_message(-EPERM));
  pair.feed(error_message(-EINVAL));
  pair.feed({1, 2, 3});
  pair.feed(packet_message(102, 0, {5, 6}));          // wraps: nothing lost
  pair.feed(larger_than_a_slot(100, 14));             // ids 11 to 13 never came
  const Queue::Received received = queue.receive(region.batch);

  CHECK(received.error == 0 && received.count == 4);
  const Batch& batch = region.batch;
  CHECK(reinterpret_cast<int32_t*>(batch.region)[kHeaderCount] == 4);
  const int32_t queues[] = {0, 2, 2, 0};
  const int32_t ids[] = {10, -1, 0, 14};
  const int32_t lengths[] = {3, 1, 2, 60000};
  const uint8_t firsts[] = {1, 4, 5, 7};
  for (size_t i = 0; i < 4; i++) {
    CHECK(batch.column(kQueue)[i] == queues[i]);
    CHECK(batch.column(kPacketId)[i] == ids[i]);
    CHECK(batch.column(kVerdict)[i] == kUndecided && batch.column(kReason)[i] == 0);
    CHECK(batch.column(kLength)[i] == lengths[i]);
    CHECK(batch.region[batch.column(kOffset)[i]] == firsts[i]);
  }
  CHECK(batch.column(kFlags)[0] == kGso && batch.column(kFlags)[3] == kTruncated);
  const Counters& counters = queue.counters();
  CHECK(counters.batches == 1 && counters.received == 4 && counters.receive_calls == 2);
  CHECK(counters.verdicts_late == 1 && counters.verdict_errors == 3 && counters.unparsed == 1);
  CHECK(counters.truncated == 1 && counters.lost == 3);
  CHECK(queue.take_new_verdict_error() == EPERM);
  CHECK(queue.take_new_verdict_error() == EINVAL);
  CHECK(queue.take_new_verdict_error() == 0);
}

// Waiting sleeps in the kernel and not here, has an end, and takes what comes meanwhile.
void check_receive_waits() {
  Pair pair;
  Region region(4);
  Queue queue(pair.ends[0], kFirstQueue, 4);
  const auto began = std::chrono::steady_clock::now();
  CHECK(queue.receive(region.batch, true).error == EAGAIN);
  CHECK(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(Queue::kMostWaitMs));

  std::thread kernel([&pair] {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    for (uint32_t id = 1; id <= 3; id++) pair.feed(packet_message(100, id, {1}));
  });
  size_t received = 0;
  while (received < 3) received += queue.receive(region.batch, true).count;
  kernel.join();
  CHECK(received == 3);
  CHECK(queue.receive(region.batch).error == EAGAIN);
}

// The packet ids of the verdicts waiting at the other end.
void drain(const Pair& pair, std::vector<uint32_t>& ids) {
  Bytes bytes(1 << 20);
  for (ssize_t length; (length = recv(pair.ends[1], bytes.data(), bytes.size(), 0)) > 0;) {
    for (size_t at = 0; at < static_cast<size_t>(length);) {
      nlmsghdr header;
      uint32_t id;
      std::memcpy(&header, &bytes[at], sizeof header);
      std::memcpy(&id, &bytes[at + 28], sizeof id);
      CHECK(header.nlmsg_len >= 32 && at + header.nlmsg_len <= static_cast<size_t>(length));
      ids.push_back(ntohl(id));
      at += header.nlmsg_len;
    }
  }
}

// The other end takes nothing for a while: what did not go out goes out later, once, in order.
void check_send_resumes() {
  Pair pair;
  Region region(64);
  Queue queue(pair.ends[0], kFirstQueue, 64);
  std::vector<uint32_t> expected;
  std::vector<uint32_t> ids;
  int times_full = 0;
  for (uint32_t round = 0; round < 40; round++) {
    for (uint32_t i = 0; i < 8; i++) {
      expected.push_back(round * 8 + i);
      pair.feed(packet_message(100, expected.back(), Bytes(1 + (round * 997 + i) % 9000, 9)));
    }
    CHECK(queue.receive(region.batch).count == 8);
    for (size_t i = 0; i < 8; i++) region.batch.column(kVerdict)[i] = kAcceptRewritten;
    int error;
    while ((error = queue.send(region.batch)) == EAGAIN) {
      times_full++;
      drain(pair, ids);
    }
    CHECK(error == 0);
  }
  drain(pair, ids);
  CHECK(times_full > 0);
  CHECK(ids == expected);
  CHECK(queue.counters().verdict_errors == 0);
}

void check_send_fails() {
  Pair pair;
  Region region(4);
  Queue queue(pair.ends[0], kFirstQueue, 4);
  for (uint32_t id = 1; id <= 3; id++) pair.feed(packet_message(100, id, {1}));
  CHECK(queue.receive(region.batch).count == 3);
  close(pair.ends[1]);
  pair.ends[1] = -1;
  CHECK(queue.send(region.batch) == EPIPE);
  queue.abandon();
  CHECK(queue.counters().verdict_errors == 3);
  CHECK(queue.send(region.batch) == 0);
}

}  // namespace

void test_queue() {
  check_receive();
  check_receive_waits();
  check_send_resumes();
  check_send_fails();
}
