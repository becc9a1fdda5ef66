// The wait for the kernel's acknowledgement, over a pair of connected sockets in the kernel's place.
#include "../../native/open.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>

#include "check.h"
#include "messages.h"

using namespace acsplit;

namespace {

struct Pair {
  Pair() { CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0); }
  ~Pair() {
    close(ends[0]);
    close(ends[1]);
  }
  bool feed(const Bytes& datagram) const { return send(ends[1], datagram.data(), datagram.size(), 0) >= 0; }
  int ends[2];
};

void check_answers() {
  Pair pair;
  // A packet of a queue bound before comes first, and is dropped.
  CHECK(pair.feed(packet_message(100, 10, {1, 2, 3})) && pair.feed(error_message(0)));
  CHECK(await_acknowledgement(pair.ends[0], 1000) == 0);
  CHECK(pair.feed(error_message(-EPERM)));
  CHECK(await_acknowledgement(pair.ends[0], 1000) == EPERM);
}

// Silence, and packets without end: either way the wait is over in time.
void check_deadline(bool is_flooded) {
  Pair pair;
  std::atomic<bool> is_over{false};
  std::thread flood([&] {
    for (uint32_t id = 1; is_flooded && !is_over; id++) (void)pair.feed(packet_message(100, id, {1, 2, 3}));
  });
  const auto began = std::chrono::steady_clock::now();
  CHECK(await_acknowledgement(pair.ends[0], 200) == ETIMEDOUT);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
  is_over = true;
  flood.join();
  CHECK(took.count() >= 199);
}

}  // namespace

void test_open() {
  check_answers();
  check_deadline(false);
  check_deadline(true);
}
