#include "open.h"

#include <arpa/inet.h>
#include <cerrno>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <thread>
#include <vector>

#include "batch.h"
#include "message.h"
#include "verdicts.h"

namespace acsplit {
namespace {

constexpr size_t kConfigurationBytes = 256;
constexpr int kAcknowledgementMs = 2000;
// The whole packet: the kernel limits this to what an attribute can hold.
constexpr int kCopyRange = 0xffff;

// Sizes a buffer in bytes as the kernel accounts them (it doubles what setsockopt asks for, socket(7)), beyond the
// system's limit if we may. Returns the resulting size.
uint32_t size_buffer(int fd, int force_option, int option, uint32_t bytes) {
  const int half = static_cast<int>(bytes / 2 > 0x3fffffff ? 0x3fffffff : bytes / 2);
  if (setsockopt(fd, SOL_SOCKET, force_option, &half, sizeof half) != 0) {
    (void)setsockopt(fd, SOL_SOCKET, option, &half, sizeof half);  // getsockopt below tells the result
  }
  int granted = 0;
  socklen_t length = sizeof granted;
  if (getsockopt(fd, SOL_SOCKET, option, &granted, &length) != 0 || granted < 0) return 0;
  return static_cast<uint32_t>(granted);
}

// BIND, PARAMS, FLAGS and MAXLEN in one message: between a separate BIND and its PARAMS the kernel would deliver
// packets without payload.
int send_configuration(int fd, const OpenOptions& options, uint16_t queue) {
  alignas(nlmsghdr) char bytes[kConfigurationBytes];
  nlmsghdr* message = nfq_nlmsg_put(bytes, NFQNL_MSG_CONFIG, queue);
  message->nlmsg_flags |= NLM_F_ACK;
  message->nlmsg_seq = queue;
  nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
  nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, kCopyRange);
  mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(options.gso ? NFQA_CFG_F_GSO : 0));
  mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO));
  nfq_nlmsg_cfg_put_qmaxlen(message, options.length);
  for (;;) {
    if (send(fd, message, message->nlmsg_len, 0) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

// A packet of a queue bound a moment ago arrived before the acknowledgement of the next queue. Drop it, as the kernel
// would have done a moment earlier. Unanswered, it would occupy the queue for good.
void drop_early_packet(int fd, const Message& packet) {
  alignas(nlmsghdr) char bytes[kConfigurationBytes];
  nlmsghdr* message = nfq_nlmsg_put(bytes, NFQNL_MSG_VERDICT, packet.queue);
  nfq_nlmsg_verdict_put(message, static_cast<int>(packet.id), NF_DROP);
  (void)send(fd, message, message->nlmsg_len, 0);
}

int64_t monotonic_ms() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1000} + now.tv_nsec / 1000000;
}

Opened failed(int fd, int error, const char* syscall, int queue) {
  if (fd >= 0) close(fd);
  return {-1, 0, error, syscall, queue};
}

}  // namespace

// See open.h.
int await_acknowledgement(int fd, int64_t within_ms) {
  std::vector<uint8_t> bytes(kSlotBytes);
  const int64_t until_ms = monotonic_ms() + within_ms;
  for (;;) {
    const int64_t left_ms = until_ms - monotonic_ms();
    if (left_ms <= 0) return ETIMEDOUT;
    const ssize_t length = recv(fd, bytes.data(), bytes.size(), 0);
    if (length < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return errno;
      pollfd readable = {fd, POLLIN, 0};
      (void)poll(&readable, 1, static_cast<int>(left_ms));
      continue;
    }
    const Message message = parse_message(bytes.data(), static_cast<size_t>(length));
    if (message.kind == MessageKind::kPacket) drop_early_packet(fd, message);
    if (message.kind == MessageKind::kError) return message.error;
    if (message.kind == MessageKind::kOther) return 0;
  }
}

Opened open_queues(const OpenOptions& options) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER);
  if (fd < 0) return failed(fd, errno, "socket", -1);
  sockaddr_nl address;
  std::memset(&address, 0, sizeof address);
  address.nl_family = AF_NETLINK;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return failed(fd, errno, "bind", -1);

  const int on = 1;
  // Without NO_ENOBUFS one overrun makes the socket refuse every packet until it has been read empty. Without CAP_ACK
  // every refused verdict comes back with its payload.
  if (setsockopt(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) != 0) {
    return failed(fd, errno, "setsockopt", -1);
  }
  const uint32_t granted = size_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer_bytes);
  size_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer_bytes);

  for (int i = 0; i < options.count; i++) {
    const uint16_t queue = static_cast<uint16_t>(options.first + i);
    if (const int error = send_configuration(fd, options, queue)) return failed(fd, error, "sendto", queue);
    if (const int error = await_acknowledgement(fd, kAcknowledgementMs)) return failed(fd, error, "bind", queue);
  }
  return {fd, granted, 0, nullptr, -1};
}

Opened try_queues(const OpenOptions& options) {
  Opened result = {-1, 0, 0, nullptr, -1};
  // A thread may be in a namespace of its own.
  std::thread trial([&] {
    if (unshare(CLONE_NEWNET) != 0) {
      result = failed(-1, errno, "unshare", -1);
      return;
    }
    result = open_queues(options);
    close_queues(result.fd);
    result.fd = -1;
  });
  trial.join();
  return result;
}

bool is_queue_socket(int fd) {
  int domain = 0;
  int protocol = 0;
  socklen_t length = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_NETLINK) return false;
  length = sizeof protocol;
  return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0 && protocol == NETLINK_NETFILTER;
}

bool close_queues(int fd) { return is_queue_socket(fd) && close(fd) == 0; }

}  // namespace acsplit
