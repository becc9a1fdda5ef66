// A verdict loop is killed and another continues in the same memory: every packet that was read gets its verdict, in
// order, decided from the bytes it came with.
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include "../../native/mapping.h"
#include "../../native/queue.h"
#include "check.h"
#include "messages.h"

using namespace acsplit;

namespace {

constexpr uint16_t kFirstQueue = 100;
constexpr size_t kCapacity = 8;
constexpr uint8_t kCame = 0x11;
constexpr uint8_t kLeft = 0x99;

// Region, journal and both ends of the socket: what a supervisor would own.
struct Outliving {
  Outliving() {
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    int fd = -1;
    CHECK(create_memory("test", bytes(), &fd).error == 0);
    void* at = nullptr;
    CHECK(map_file(fd, 0, bytes(), &at).error == 0);
    CHECK(map_file(fd, 4096, bytes(), &at).error == EOVERFLOW);
    close(fd);
    memory = static_cast<uint8_t*>(at);
  }
  ~Outliving() {
    unmap(memory, bytes());
    close(ends[0]);
    close(ends[1]);
  }
  static size_t bytes() { return region_bytes(kCapacity) + journal_bytes(kCapacity); }
  Batch batch() const { return {memory, kCapacity}; }
  uint8_t* journal() const { return memory + region_bytes(kCapacity); }
  Queue worker() const { return Queue(ends[0], kFirstQueue, kCapacity, journal()); }
  void feed(uint32_t first, uint32_t count) const {
    for (uint32_t id = first; id < first + count; id++) {
      const Bytes message = packet_message(100, id, Bytes(600, kCame));
      CHECK(send(ends[1], message.data(), message.size(), 0) == static_cast<ssize_t>(message.size()));
    }
  }
  int ends[2];
  uint8_t* memory;
};

struct Sent {
  uint32_t id;
  uint32_t verdict;
  bool operator==(const Sent& other) const { return id == other.id && verdict == other.verdict; }
};

struct Arrived {
  nlmsghdr header;
  Sent verdict;
};

// What has arrived at the other end.
std::vector<Arrived> arrivals(const Outliving& world) {
  std::vector<Arrived> arrived;
  Bytes bytes(1 << 20);
  for (ssize_t length; (length = recv(world.ends[1], bytes.data(), bytes.size(), 0)) > 0;) {
    for (size_t at = 0; at < static_cast<size_t>(length);) {
      nlmsghdr header;
      uint32_t words[2];
      std::memcpy(&header, &bytes[at], sizeof header);
      std::memcpy(words, &bytes[at + 24], sizeof words);
      arrived.push_back({header, {ntohl(words[1]), ntohl(words[0])}});
      at += header.nlmsg_len;
    }
  }
  return arrived;
}

// The verdicts among them; batch verdicts (of retire) are left out.
std::vector<Sent> verdicts(const Outliving& world) {
  std::vector<Sent> sent;
  for (const Arrived& one : arrivals(world)) {
    if (one.header.nlmsg_type == (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT)) sent.push_back(one.verdict);
  }
  return sent;
}

// Answers all of them with "no such packet", as the kernel does. How many there were.
size_t refuse_all(const Outliving& world) {
  const std::vector<Arrived> arrived = arrivals(world);
  for (const Arrived& one : arrived) {
    const Bytes missing = error_message(-ENOENT, one.header.nlmsg_seq);
    CHECK(send(world.ends[1], missing.data(), missing.size(), 0) > 0);
  }
  return arrived.size();
}

// Decides rows [from, to) as the rules would: checks that the packet is as it came, and rewrites it.
void decide(const Batch& batch, size_t from, size_t to) {
  for (size_t row = from; row < to; row++) {
    uint8_t* packet = batch.region + batch.column(kOffset)[row];
    CHECK(packet[0] == kCame && packet[511] == kCame);
    std::memset(packet, kLeft, 40);
    batch.column(kVerdict)[row] = kAcceptRewritten;
  }
}

constexpr uint32_t kAccepted = 1;

// Killed with nothing decided, with some decided and one half rewritten, with some sent: the next one sees to the rest.
void check_killed_in_a_batch() {
  for (size_t decided = 0; decided <= 5; decided++) {
    for (size_t sent = 0; sent <= decided; sent++) {
      Outliving world;
      const Batch batch = world.batch();
      world.feed(1, 5);
      {
        Queue first = world.worker();
        CHECK(first.receive(batch).count == 5);
        decide(batch, 0, decided);
        if (decided < 5) std::memset(batch.region + batch.column(kOffset)[decided], kLeft, 20);
        reinterpret_cast<Journal*>(world.journal())->answered = static_cast<uint32_t>(sent);
      }
      Queue second = world.worker();
      const Queue::Recovered found = second.recover(batch);
      CHECK(found.error == 0 && !found.given_up && found.count == 5 - decided);
      decide(batch, 0, found.count);
      if (found.count > 0) CHECK(second.send(batch) == 0);
      second.retire();
      std::vector<Sent> expected;
      for (uint32_t id = static_cast<uint32_t>(sent) + 1; id <= 5; id++) expected.push_back({id, kAccepted});
      CHECK(verdicts(world) == expected);
      CHECK(second.counters().received == 5 && second.counters().recovered == 5 - decided);

      // Nothing is left for a third, and reading continues.
      CHECK(second.recover(batch).count == 0);
      world.feed(6, 1);
      CHECK(second.receive(batch).count == 1 && second.counters().lost == 0);
    }
  }
}

// Killed between the system call that filled the slots and the first look at them.
void check_killed_while_receiving() {
  Outliving world;
  const Batch batch = world.batch();
  for (size_t slot = 0; slot < 3; slot++) {
    const Bytes message = packet_message(100, static_cast<uint32_t>(slot) + 1, Bytes(600, kCame));
    std::memcpy(batch.slot(slot), message.data(), message.size());
  }
  const Bytes refusal = error_message(-EPERM);
  std::memcpy(batch.slot(3), refusal.data(), refusal.size());
  Queue next = world.worker();
  CHECK(next.recover(batch).count == 3);
  CHECK(next.counters().received == 3 && next.counters().verdict_errors == 1);
  decide(batch, 0, 3);
  CHECK(next.send(batch) == 0);
  CHECK((verdicts(world) == std::vector<Sent>{{1, kAccepted}, {2, kAccepted}, {3, kAccepted}}));
}

void check_a_batch_that_kills_twice_is_dropped() {
  Outliving world;
  const Batch batch = world.batch();
  world.feed(1, 2);
  CHECK(world.worker().receive(batch).count == 2);
  const Queue::Recovered once = world.worker().recover(batch);
  CHECK(once.count == 2 && !once.given_up);
  Queue third = world.worker();
  const Queue::Recovered twice = third.recover(batch);
  CHECK(twice.count == 2 && twice.given_up);
  CHECK(third.send(batch) == 0);
  CHECK((verdicts(world) == std::vector<Sent>{{1, 0}, {2, 0}}));
  CHECK(third.counters().given_up == 2);

  // The count restarts.
  world.feed(3, 1);
  CHECK(third.receive(batch).count == 1);
  CHECK(!world.worker().recover(batch).given_up);
}

// Killed again and again, each time after one more decision: the batch is not to blame.
void check_a_batch_that_goes_on_is_not_dropped() {
  Outliving world;
  const Batch batch = world.batch();
  world.feed(1, 4);
  CHECK(world.worker().receive(batch).count == 4);
  std::vector<Sent> expected;
  for (uint32_t id = 1; id <= 4; id++) {
    decide(batch, 0, 1);
    expected.push_back({id, kAccepted});
    const Queue::Recovered found = world.worker().recover(batch);
    CHECK(found.count == 4 - id && !found.given_up);
  }
  CHECK(verdicts(world) == expected);
}

// "No such packet" about a verdict that may have been sent twice means nothing; about any other verdict it means a
// loss.
void check_repeats_are_forgiven() {
  Outliving world;
  const Batch batch = world.batch();
  world.feed(1, 2);
  CHECK(world.worker().receive(batch).count == 2);
  decide(batch, 0, 2);
  Queue next = world.worker();
  CHECK(next.recover(batch).count == 0);
  next.retire();
  Queue last = world.worker();
  CHECK(last.recover(batch).count == 0);
  CHECK(refuse_all(world) == 3);
  const Bytes missing = error_message(-ENOENT);
  CHECK(send(world.ends[1], missing.data(), missing.size(), 0) > 0);
  CHECK(last.receive(batch).count == 0);
  CHECK(last.counters().verdicts_late == 1);
}

// If a dead process had not sent its verdicts, the kernel does not refuse those of the next: no later loss is hidden.
void check_a_repeat_hides_no_loss() {
  Outliving world;
  const Batch batch = world.batch();
  for (uint32_t death = 0; death < 12; death++) {
    world.feed(1 + death, 1);
    CHECK(world.worker().receive(batch).count == 1);
    decide(batch, 0, 1);
    Queue next = world.worker();
    CHECK(next.recover(batch).count == 0);
    next.retire();
    // The kernel has the packet, drops the rest, and does not answer.
    CHECK(verdicts(world).size() == 1);
  }
  Queue last = world.worker();
  CHECK(last.recover(batch).count == 0);
  world.feed(13, 5);
  CHECK(last.receive(batch).count == 5);
  decide(batch, 0, 5);
  CHECK(last.send(batch) == 0);
  CHECK(refuse_all(world) == 5);
  CHECK(last.receive(batch).count == 0);
  CHECK(last.counters().verdicts_late == 5);
}

// What is decided again has not been sent before: of a batch of six, two sent, two decided, two not, all are flushed.
void check_what_is_decided_again_is_no_repeat() {
  Outliving world;
  const Batch batch = world.batch();
  world.feed(1, 6);
  CHECK(world.worker().receive(batch).count == 6);
  decide(batch, 0, 4);
  reinterpret_cast<Journal*>(world.journal())->answered = 2;
  Queue next = world.worker();
  CHECK(next.recover(batch).count == 2);
  decide(batch, 0, 2);
  CHECK(next.send(batch) == 0);
  next.retire();
  CHECK(refuse_all(world) == 5);
  CHECK(next.receive(batch).count == 0);
  CHECK(next.counters().verdicts_late == 2 && next.counters().verdict_errors == 0);
}

[[noreturn]] void work(const Outliving& world) {
  const Batch batch = world.batch();
  Queue queue = world.worker();
  const Queue::Recovered found = queue.recover(batch);
  if (!found.given_up) decide(batch, 0, found.count);
  while (queue.send(batch) == EAGAIN) usleep(10);
  for (;;) {
    const size_t count = queue.receive(batch).count;
    if (count == 0) continue;
    decide(batch, 0, count);
    while (queue.send(batch) == EAGAIN) usleep(10);
  }
}

// Real processes, really killed, wherever they are: no packet is left without a verdict, none is forgotten.
void check_killed_anywhere() {
  Outliving world;
  std::vector<bool> seen;
  uint32_t fed = 0;
  unsigned random = 12345;
  for (int round = 0; round < 300; round++) {
    const pid_t child = fork();
    if (child == 0) work(world);
    random = random * 1103515245 + 12345;
    const uint32_t until = fed + 1 + (random >> 16) % 40;
    while (fed < until) {
      const Bytes message = packet_message(100, fed, Bytes(600, kCame));
      if (send(world.ends[1], message.data(), message.size(), 0) < 0) continue;
      seen.push_back(false);
      fed++;
      if (fed % 16 == 0) {
        for (const Sent& sent : verdicts(world)) seen[sent.id] = true;
      }
    }
    usleep((random >> 20) % 300);
    kill(child, SIGKILL);
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  const pid_t last = fork();
  if (last == 0) work(world);
  size_t missing = fed;
  for (int patience = 0; patience < 2000 && missing > 0; patience++) {
    usleep(5000);
    for (const Sent& sent : verdicts(world)) seen[sent.id] = true;
    missing = 0;
    for (const bool answered : seen) missing += answered ? 0 : 1;
  }
  kill(last, SIGKILL);
  CHECK(waitpid(last, nullptr, 0) == last);
  CHECK(missing == 0);
  CHECK(reinterpret_cast<Journal*>(world.journal())->counters.lost == 0);
}

}  // namespace

void test_recovery() {
  check_killed_in_a_batch();
  check_killed_while_receiving();
  check_a_batch_that_kills_twice_is_dropped();
  check_a_batch_that_goes_on_is_not_dropped();
  check_repeats_are_forgiven();
  check_a_repeat_hides_no_loss();
  check_what_is_decided_again_is_no_repeat();
  check_killed_anywhere();
}
