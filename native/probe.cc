#include "probe.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/if_ether.h>
#include <netinet/in.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <ctime>

namespace acsplit {
namespace {

constexpr uint32_t kRounds = 2;
constexpr uint32_t kIpv4HeaderBytes = 20;
constexpr uint32_t kIpv6HeaderBytes = 40;
constexpr size_t kMostPacketBytes = 65536;
// No router passes such a packet on. RFC 4861
constexpr uint8_t kDiscoveryHopLimit = 255;

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

// Both families' questions go to all hosts, or to those whose address may be it.
void send_to(int fd, int index, uint16_t protocol, const uint8_t* mac, const void* bytes, size_t length) {
  sockaddr_ll to = {};
  to.sll_family = AF_PACKET;
  to.sll_protocol = htons(protocol);
  to.sll_ifindex = index;
  to.sll_halen = 6;
  memcpy(to.sll_addr, mac, 6);
  (void)sendto(fd, bytes, length, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
}

void send_arp(int fd, const MacQuestion& question) {
  ether_arp request = {};
  if (!own_mac(fd, question.index, request.arp_sha)) return;
  request.arp_hrd = htons(ARPHRD_ETHER);
  request.arp_pro = htons(ETH_P_IP);
  request.arp_hln = 6;
  request.arp_pln = 4;
  request.arp_op = htons(ARPOP_REQUEST);
  memcpy(request.arp_tpa, question.address, 4);
  const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
  send_to(fd, question.index, ETH_P_ARP, everybody, &request, sizeof request);
}

// From ::, to the solicited-node address: the answer comes to all nodes, and tells them what is true. RFC 4861, 7.2.4
void send_solicitation(int fd, const MacQuestion& question) {
  uint8_t own[6];
  if (!own_mac(fd, question.index, own)) return;
  struct {
    ip6_hdr ip;
    nd_neighbor_solicit body;
  } packet = {};
  packet.ip.ip6_flow = htonl(6U << 28);
  packet.ip.ip6_plen = htons(sizeof packet.body);
  packet.ip.ip6_nxt = IPPROTO_ICMPV6;
  packet.ip.ip6_hlim = kDiscoveryHopLimit;
  uint8_t* to = packet.ip.ip6_dst.s6_addr;
  to[0] = 0xff;
  to[1] = 0x02;
  to[11] = 0x01;
  to[12] = 0xff;
  memcpy(to + 13, question.address + 13, 3);
  packet.body.nd_ns_type = ND_NEIGHBOR_SOLICIT;
  memcpy(&packet.body.nd_ns_target, question.address, 16);
  const auto* body = reinterpret_cast<const uint8_t*>(&packet.body);
  uint32_t sum = sizeof packet.body + IPPROTO_ICMPV6;
  for (size_t i = 0; i < 16; i += 2) sum += static_cast<uint32_t>(to[i] << 8 | to[i + 1]);
  for (size_t i = 0; i < sizeof packet.body; i += 2) sum += static_cast<uint32_t>(body[i] << 8 | body[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  packet.body.nd_ns_cksum = htons(static_cast<uint16_t>(~sum));
  const uint8_t group[6] = {0x33, 0x33, 0xff, question.address[13], question.address[14], question.address[15]};
  send_to(fd, question.index, ETH_P_IPV6, group, &packet, sizeof packet);
}

// Receives neighbour advertisements alone, not what the router forwards. Its protocol, given last, opens it.
int open_discovery() {
  const int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  sock_filter lines[] = {
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, offsetof(ip6_hdr, ip6_nxt)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 3),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, sizeof(ip6_hdr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog filter = {sizeof lines / sizeof lines[0], lines};
  sockaddr_ll any = {};
  any.sll_family = AF_PACKET;
  any.sll_protocol = htons(ETH_P_IPV6);
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0 &&
      bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0) {
    return fd;
  }
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

// The address and the MAC that an ARP reply names; false for any other packet.
bool read_arp(const uint8_t* bytes, size_t length, uint8_t* address, uint8_t* mac) {
  ether_arp reply;
  if (length < sizeof reply) return false;
  memcpy(&reply, bytes, sizeof reply);
  if (ntohs(reply.arp_op) != ARPOP_REPLY) return false;
  memcpy(address, reply.arp_spa, 4);
  memcpy(mac, reply.arp_sha, 6);
  return true;
}

// The same of a neighbour advertisement; without the option for its MAC, that of the frame.
bool read_advertisement(const uint8_t* bytes, size_t length, uint8_t* address, uint8_t* mac) {
  constexpr size_t kOptionsAt = sizeof(ip6_hdr) + sizeof(nd_neighbor_advert);
  if (length < kOptionsAt || bytes[6] != IPPROTO_ICMPV6 || bytes[7] != kDiscoveryHopLimit) return false;
  if (bytes[sizeof(ip6_hdr)] != ND_NEIGHBOR_ADVERT) return false;
  memcpy(address, bytes + sizeof(ip6_hdr) + offsetof(nd_neighbor_advert, nd_na_target), 16);
  for (size_t at = kOptionsAt; at + 8 <= length && bytes[at + 1] != 0; at += static_cast<size_t>(bytes[at + 1]) * 8) {
    if (bytes[at] == ND_OPT_TARGET_LINKADDR) memcpy(mac, bytes + at + 2, 6);
  }
  return true;
}

void take_answer(int fd, bool is_ipv6, const std::vector<MacQuestion>& questions, std::vector<MacAnswer>* answers) {
  uint8_t bytes[256];
  sockaddr_ll from = {};
  socklen_t length = sizeof from;
  const ssize_t got = recvfrom(fd, bytes, sizeof bytes, MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &length);
  if (got <= 0 || from.sll_pkttype == PACKET_OUTGOING) return;
  uint8_t address[16];
  uint8_t mac[6];
  memcpy(mac, from.sll_addr, sizeof mac);
  const auto read = is_ipv6 ? read_advertisement : read_arp;
  if (!read(bytes, static_cast<size_t>(got), address, mac)) return;
  for (size_t i = 0; i < questions.size(); i++) {
    const MacQuestion& asked = questions[i];
    const bool fits = asked.is_ipv6 == is_ipv6 && asked.index == from.sll_ifindex &&
                      memcmp(address, asked.address, is_ipv6 ? 16 : 4) == 0;
    const bool is_known = std::any_of(answers->begin(), answers->end(), [&](const MacAnswer& known) {
      return known.question == i && memcmp(known.mac, mac, 6) == 0;
    });
    if (!fits || is_known) continue;
    MacAnswer answer = {i, {}};
    memcpy(answer.mac, mac, 6);
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
  head.type = to.is_ipv6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
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
  const uint8_t reply = from.is_ipv6 ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY;
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

SystemResult ask_macs(const std::vector<MacQuestion>& questions, uint32_t wait_ms, std::vector<MacAnswer>* answers) {
  const int arp = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
  if (arp < 0) return {errno, "socket"};
  const int discovery = open_discovery();
  if (discovery < 0) {
    const int error = errno;
    close(arp);
    return {error, "socket"};
  }
  const uint64_t begin = now_ms();
  uint32_t rounds = 0;
  for (uint64_t now = begin; now < begin + wait_ms; now = now_ms()) {
    if (rounds < kRounds && now >= begin + rounds * wait_ms / (kRounds + 1)) {
      for (const MacQuestion& question : questions) {
        if (question.is_ipv6) {
          send_solicitation(discovery, question);
        } else {
          send_arp(arp, question);
        }
      }
      rounds++;
    }
    const uint64_t until = begin + (rounds < kRounds ? rounds * wait_ms / (kRounds + 1) : wait_ms);
    pollfd watched[] = {{arp, POLLIN, 0}, {discovery, POLLIN, 0}};
    if (poll(watched, 2, static_cast<int>(until > now ? until - now : 0)) <= 0) continue;
    for (const pollfd& one : watched) {
      if ((one.revents & POLLIN) != 0) take_answer(one.fd, one.fd == discovery, questions, answers);
    }
  }
  close(arp);
  close(discovery);
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
