#include "ipset.h"

#include <arpa/inet.h>
#include <cerrno>
#include <libmnl/libmnl.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cstring>

namespace acsplit {
namespace {

constexpr size_t kMessageBytes = 256;
// Kernels accept this version of the protocol and the next. ip_set_core.c, protocol_min_failed
constexpr uint8_t kProtocol = 6;
// First bytes of the two halves of the address space: a set does not take a prefix of length 0.
constexpr uint8_t kHalves[] = {0x00, 0x80};

// ADD without NLM_F_EXCL gives an existing entry the new timeout. `first_byte` is the address's; the rest are zeros.
void build(char* bytes, uint32_t sequence, const char* name, bool is_ipv6, uint8_t first_byte, uint32_t seconds) {
  nlmsghdr* message = mnl_nlmsg_put_header(bytes);
  message->nlmsg_type = (NFNL_SUBSYS_IPSET << 8) | IPSET_CMD_ADD;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  message->nlmsg_seq = sequence;
  auto* family = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  family->nfgen_family = is_ipv6 ? AF_INET6 : AF_INET;
  family->version = NFNETLINK_V0;
  const uint8_t address[16] = {first_byte};
  mnl_attr_put_u8(message, IPSET_ATTR_PROTOCOL, kProtocol);
  mnl_attr_put_strz(message, IPSET_ATTR_SETNAME, name);
  nlattr* entry = mnl_attr_nest_start(message, IPSET_ATTR_DATA);
  nlattr* ip = mnl_attr_nest_start(message, IPSET_ATTR_IP);
  const uint16_t type = (is_ipv6 ? IPSET_ATTR_IPADDR_IPV6 : IPSET_ATTR_IPADDR_IPV4) | NLA_F_NET_BYTEORDER;
  mnl_attr_put(message, type, is_ipv6 ? 16 : 4, address);
  mnl_attr_nest_end(message, ip);
  mnl_attr_put_u8(message, IPSET_ATTR_CIDR, 1);
  mnl_attr_put_u32(message, IPSET_ATTR_TIMEOUT | NLA_F_NET_BYTEORDER, htonl(seconds));
  mnl_attr_nest_end(message, entry);
}

// The answer is on the socket when send returns; an unread answer to an earlier call may precede it. Returns 0 or
// errno.
int take_answer(int fd, uint32_t sequence) {
  alignas(nlmsghdr) char bytes[4 * kMessageBytes];
  const nlmsghdr* message;
  do {
    const ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (length < 0) return errno;
    message = reinterpret_cast<const nlmsghdr*>(bytes);
    if (!mnl_nlmsg_ok(message, static_cast<int>(length)) || message->nlmsg_type != NLMSG_ERROR) return EPROTO;
  } while (message->nlmsg_seq != sequence);
  const int error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
  return error >= IPSET_ERR_PRIVATE || error == EINVAL ? EPROTO : error;
}

}  // namespace

SystemResult open_set_socket(int* fd) {
  *fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  return {*fd < 0 ? errno : 0, "socket"};
}

SystemResult fill_set(int fd, const char* name, bool is_ipv6, uint32_t seconds) {
  // Must differ from the numbers of the calls before, whose answers may still arrive.
  static uint32_t sequence = 0;
  if (std::strlen(name) >= IPSET_MAXNAMELEN) return {ENAMETOOLONG, "sendto"};
  int error = 0;
  for (const uint8_t half : kHalves) {
    alignas(nlmsghdr) char bytes[kMessageBytes];
    build(bytes, ++sequence, name, is_ipv6, half, seconds);
    const auto* message = reinterpret_cast<const nlmsghdr*>(bytes);
    error = send(fd, message, message->nlmsg_len, 0) < 0 ? errno : take_answer(fd, sequence);
    if (error != 0) break;
  }
  return {error, "sendto"};
}

}  // namespace acsplit
