#include "probe.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace acsplit {
namespace {

constexpr uint32_t kRounds = 2;
constexpr uint32_t kIpv4HeaderBytes = 20;
constexpr uint32_t kIpv6HeaderBytes = 40;
constexpr size_t kMostPacketBytes = 65536;

uint64_t now_ms() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1000000;
}

// False for an interface that is gone, or is not Ethernet.
bool own_mac(int fd, int index, uint8_t* mac) {
  ifreq request = {};
  if (if_indextoname(static_cast<unsigned>(index), request.ifr_name) == nullptr) return false;
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0 || request.ifr_hwaddr.sa_family != ARPHRD_ETHER) return false;
  memcpy(mac, request.ifr_hwaddr.sa_data, 6);
  return true;
}

void send_arp(int fd, const ArpQuestion& question) {
  ether_arp request = {};
  if (!own_mac(fd, question.index, request.arp_sha)) return;
  request.arp_hrd = htons(ARPHRD_ETHER);
  request.arp_pro = htons(ETH_P_IP);
  request.arp_hln = 6;
  request.arp_pln = 4;
  request.arp_op = htons(ARPOP_REQUEST);
  memcpy(request.arp_tpa, &question.address, 4);
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(ETH_P_ARP);
  to.sll_ifindex = question.index;
  to.sll_halen = 6;
  memset(to.sll_addr, 0xff, 6);
  (void)sendto(fd, &request, sizeof request, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

void take_arp(int fd, const std::vector<ArpQuestion>& questions, std::vector<ArpAnswer>* answers) {
  ether_arp reply;
  sockaddr_ll from = {};
  socklen_t length = sizeof from;
  const ssize_t bytes = recvfrom(fd, &reply, sizeof reply, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
  if (bytes < static_cast<ssize_t>(sizeof reply) || from.sll_pkttype == PACKET_OUTGOING) return;
  if (ntohs(reply.arp_op) != ARPOP_REPLY) return;
  for (size_t i = 0; i < questions.size(); i++) {
    const bool fits = questions[i].index == from.sll_ifindex && memcmp(reply.arp_spa, &questions[i].address, 4) == 0;
    const bool is_known = std::any_of(answers->begin(), answers->end(), [&](const ArpAnswer& known) {
      return known.question == i && memcmp(known.mac, reply.arp_sha, 6) == 0;
    });
    if (!fits || is_known) continue;
    ArpAnswer answer = {i, {}};
    memcpy(answer.mac, reply.arp_sha, 6);
    answers->push_back(answer);
  }
}

// One question's socket. Its number of questions fits into a sequence number.
struct Echo {
  int fd = -1;
  bool is_ipv6 = false;
  uint16_t sequence = 0;
};

// Reads an address; false for what is none.
bool read_address(const std::string& text, bool is_ipv6, sockaddr_storage* address) {
  *address = {};
  address->ss_family = is_ipv6 ? AF_INET6 : AF_INET;
  void* at = is_ipv6 ? static_cast<void*>(&reinterpret_cast<sockaddr_in6*>(address)->sin6_addr)
                     : static_cast<void*>(&reinterpret_cast<sockaddr_in*>(address)->sin_addr);
  return inet_pton(address->ss_family, text.c_str(), at) == 1;
}

int open_echo(const EchoQuestion& question, Echo* to) {
  to->is_ipv6 = question.address.find(':') != std::string::npos;
  sockaddr_storage address;
  sockaddr_storage own;
  if (!read_address(question.address, to->is_ipv6, &address)) return EINVAL;
  if (!question.from.empty() && !read_address(question.from, to->is_ipv6, &own)) return EINVAL;
  const int protocol = to->is_ipv6 ? static_cast<int>(IPPROTO_ICMPV6) : static_cast<int>(IPPROTO_ICMP);
  to->fd = socket(to->is_ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (to->fd < 0) return errno;
  const int on = 1;
  if (to->is_ipv6) {
    const int probe = IPV6_PMTUDISC_PROBE;
    (void)setsockopt(to->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe, sizeof probe);
    (void)setsockopt(to->fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
  } else {
    const int probe = IP_PMTUDISC_PROBE;
    (void)setsockopt(to->fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
    (void)setsockopt(to->fd, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  }
  const socklen_t length = to->is_ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
  if (!question.from.empty() && bind(to->fd, reinterpret_cast<sockaddr*>(&own), length) != 0) return errno;
  return connect(to->fd, reinterpret_cast<sockaddr*>(&address), length) == 0 ? 0 : errno;
}

// The kernel writes the IP header, and the checksum of ICMPv6.
void send_echo(const Echo& to, uint32_t bytes, EchoAnswer* answer) {
  const uint32_t header = to.is_ipv6 ? kIpv6HeaderBytes : kIpv4HeaderBytes;
  std::vector<uint8_t> message(std::max<size_t>(bytes - header, sizeof(icmphdr)));
  icmphdr head = {};
  head.type = to.is_ipv6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO;
  head.un.echo.id = htons(static_cast<uint16_t>(getpid()));
  head.un.echo.sequence = htons(to.sequence);
  memcpy(message.data(), &head, sizeof head);
  if (!to.is_ipv6) {
    uint32_t sum = 0;
    for (size_t i = 0; i < message.size(); i++) sum += i % 2 == 0 ? message[i] << 8 : message[i];
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    head.checksum = htons(static_cast<uint16_t>(~sum));
    memcpy(message.data(), &head, sizeof head);
  }
  if (send(to.fd, message.data(), message.size(), 0) >= 0 || errno != EMSGSIZE) return;
  int mtu = 0;
  socklen_t length = sizeof mtu;
  const int level = to.is_ipv6 ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP);
  if (getsockopt(to.fd, level, to.is_ipv6 ? IPV6_MTU : IP_MTU, &mtu, &length) == 0) {
    answer->mtu = static_cast<uint32_t>(mtu);
  }
}

void take_echo(const Echo& from, EchoAnswer* answer) {
  static uint8_t bytes[kMostPacketBytes];
  const ssize_t length = recv(from.fd, bytes, sizeof bytes, 0);
  // IPv4 raw sockets receive the IP header too.
  const size_t header = from.is_ipv6 || length <= 0 ? 0 : static_cast<size_t>(bytes[0] & 0x0f) * 4;
  if (length < static_cast<ssize_t>(header + sizeof(icmphdr))) return;
  icmphdr head;
  memcpy(&head, bytes + header, sizeof head);
  const uint8_t reply = from.is_ipv6 ? ICMPV6_ECHO_REPLY : ICMP_ECHOREPLY;
  const bool is_ours = head.un.echo.id == htons(static_cast<uint16_t>(getpid()));
  if (head.type == reply && is_ours && head.un.echo.sequence == htons(from.sequence)) answer->is_answered = true;
}

// A router's "too big". RFC 1191, RFC 4443
void take_error(const Echo& from, EchoAnswer* answer) {
  uint8_t bytes[256];
  alignas(cmsghdr) uint8_t control[512];
  iovec part = {bytes, sizeof bytes};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (recvmsg(from.fd, &message, MSG_ERRQUEUE) < 0) return;
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    const bool is_error = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                          (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
    if (!is_error) continue;
    sock_extended_err error;
    memcpy(&error, CMSG_DATA(c), sizeof error);
    if (error.ee_errno == EMSGSIZE) answer->mtu = error.ee_info;
  }
}

}  // namespace

SystemResult ask_arp(const std::vector<ArpQuestion>& questions, uint32_t wait_ms, std::vector<ArpAnswer>* answers) {
  const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
  if (fd < 0) return {errno, "socket"};
  const uint64_t begin = now_ms();
  uint32_t rounds = 0;
  for (uint64_t now = begin; now < begin + wait_ms; now = now_ms()) {
    if (rounds < kRounds && now >= begin + rounds * wait_ms / (kRounds + 1)) {
      for (const ArpQuestion& question : questions) send_arp(fd, question);
      rounds++;
    }
    const uint64_t until = begin + (rounds < kRounds ? rounds * wait_ms / (kRounds + 1) : wait_ms);
    pollfd watched = {fd, POLLIN, 0};
    const int patience = static_cast<int>(until > now ? until - now : 0);
    if (poll(&watched, 1, patience) > 0) take_arp(fd, questions, answers);
  }
  close(fd);
  return {0, "socket"};
}

SystemResult echo(const std::vector<EchoQuestion>& questions, uint32_t wait_ms, std::vector<EchoAnswer>* answers) {
  answers->assign(questions.size(), {});
  std::vector<Echo> sockets(questions.size());
  SystemResult result = {0, "socket"};
  for (size_t i = 0; i < questions.size(); i++) {
    sockets[i].sequence = static_cast<uint16_t>(i);
    const int error = open_echo(questions[i], &sockets[i]);
    // No route to one host says nothing about the others.
    if (error == EPERM || error == EACCES || error == EINVAL) result.error = error;
  }
  const auto is_open = [&](size_t i) { return !(*answers)[i].is_answered && (*answers)[i].mtu == 0; };
  const uint64_t begin = now_ms();
  uint32_t rounds = 0;
  for (uint64_t now = begin; result.error == 0 && now < begin + wait_ms; now = now_ms()) {
    const bool is_round = rounds < kRounds && now >= begin + rounds * wait_ms / kRounds;
    std::vector<pollfd> watched;
    for (size_t i = 0; i < sockets.size(); i++) {
      if (is_round && is_open(i)) send_echo(sockets[i], questions[i].bytes, &(*answers)[i]);
      watched.push_back({is_open(i) ? sockets[i].fd : -1, POLLIN, 0});
    }
    if (is_round) rounds++;
    const bool is_waiting = std::any_of(watched.begin(), watched.end(), [](const pollfd& one) { return one.fd >= 0; });
    if (!is_waiting) break;
    const uint64_t until = begin + (rounds < kRounds ? rounds * wait_ms / kRounds : wait_ms);
    if (poll(watched.data(), watched.size(), static_cast<int>(until > now ? until - now : 0)) <= 0) continue;
    for (size_t i = 0; i < watched.size(); i++) {
      if ((watched[i].revents & POLLERR) != 0) take_error(sockets[i], &(*answers)[i]);
      if ((watched[i].revents & POLLIN) != 0) take_echo(sockets[i], &(*answers)[i]);
    }
  }
  for (const Echo& one : sockets) {
    if (one.fd >= 0) close(one.fd);
  }
  return result;
}

}  // namespace acsplit
