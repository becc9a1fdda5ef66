#include "message.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "batch.h"

namespace acsplit {
namespace {

constexpr uint16_t kPacketType = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
constexpr size_t kAttributesAt = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));

template <typename T>
T load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

Message of_kind(MessageKind kind) { return {kind, 0, 0, 0, 0, 0, 0, 0}; }

Message parse_error(const uint8_t* bytes, size_t length) {
  if (length < NLMSG_HDRLEN + sizeof(int)) return of_kind(MessageKind::kMalformed);
  const int code = load<int>(bytes + NLMSG_HDRLEN);
  if (code == 0) return of_kind(MessageKind::kOther);
  Message message = of_kind(MessageKind::kError);
  // The kernel sends negative codes; INT_MIN has no positive counterpart.
  message.error = code < 0 && code >= -4095 ? -code : EINVAL;
  message.sequence = load<nlmsghdr>(bytes).nlmsg_seq;
  return message;
}

// Stores one attribute's value, at most `available` bytes of it, in `message`. True when it was the packet's id.
bool take_attribute(Message& message, uint16_t type, const uint8_t* value, size_t available, size_t value_at) {
  switch (type) {
    case NFQA_PACKET_HDR:
      if (available < sizeof(nfqnl_msg_packet_hdr)) return false;
      message.id = ntohl(load<uint32_t>(value));
      return true;
    case NFQA_SKB_INFO:
      if (available >= sizeof(uint32_t)) {
        const uint32_t bits = ntohl(load<uint32_t>(value));
        if (bits & NFQA_SKB_CSUMNOTREADY) message.flags |= kChecksumNotReady;
        if (bits & NFQA_SKB_GSO) message.flags |= kGso;
      }
      return false;
    case NFQA_CAP_LEN:
      message.flags |= kTruncated;
      return false;
    case NFQA_PAYLOAD:
      message.offset = value_at;
      message.length = available;
      return false;
    default:
      return false;
  }
}

}  // namespace

Message parse_message(const uint8_t* bytes, size_t length) {
  if (length < NLMSG_HDRLEN) return of_kind(MessageKind::kMalformed);
  const nlmsghdr header = load<nlmsghdr>(bytes);
  if (header.nlmsg_len < NLMSG_HDRLEN) return of_kind(MessageKind::kMalformed);
  const size_t end = std::min<size_t>(header.nlmsg_len, length);

  if (header.nlmsg_type == NLMSG_ERROR) return parse_error(bytes, end);
  if (header.nlmsg_type != kPacketType) return of_kind(MessageKind::kOther);
  if (end < kAttributesAt) return of_kind(MessageKind::kMalformed);

  Message message = of_kind(MessageKind::kPacket);
  message.queue = ntohs(load<nfgenmsg>(bytes + NLMSG_HDRLEN).res_id);
  if (header.nlmsg_len > length) message.flags |= kTruncated;

  bool has_id = false;
  size_t at = kAttributesAt;
  while (end - at >= NLA_HDRLEN) {
    const nlattr attribute = load<nlattr>(bytes + at);
    if (attribute.nla_len < NLA_HDRLEN) {
      message.flags |= kTruncated;
      break;
    }
    const size_t available = std::min<size_t>(attribute.nla_len, end - at);
    if (available < attribute.nla_len) message.flags |= kTruncated;
    const size_t value_at = at + NLA_HDRLEN;
    has_id |= take_attribute(message, attribute.nla_type & NLA_TYPE_MASK, bytes + value_at, available - NLA_HDRLEN,
                             value_at);
    at += std::min<size_t>(NLA_ALIGN(attribute.nla_len), end - at);
  }
  if (!has_id) return of_kind(MessageKind::kMalformed);
  return message;
}

}  // namespace acsplit
