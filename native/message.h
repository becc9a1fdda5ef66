// Parses one netlink message from the queue socket. Pure functions over bytes: hostile input gets a result, never a
// read outside [bytes, bytes + length).
#ifndef ACSPLIT_MESSAGE_H_
#define ACSPLIT_MESSAGE_H_

#include <cstddef>
#include <cstdint>

namespace acsplit {

enum class MessageKind {
  kPacket,     // NFQNL_MSG_PACKET with a legible packet id
  kError,      // NLMSG_ERROR with a non-zero code: a verdict or a configuration was refused
  kOther,      // any other well-formed message: an acknowledgement, NLMSG_NOOP
  kMalformed,  // no header or no packet id, so it cannot be answered
};

struct Message {
  MessageKind kind;
  // kPacket
  uint16_t queue;   // nfgenmsg.res_id
  uint32_t id;      // counts per queue, wraps
  int32_t flags;    // Flag bits, batch.h
  size_t offset;    // of the payload, from the message's first byte
  size_t length;    // of the payload
  // kError: the positive errno, and the nlmsg_seq of the message that was refused
  int error;
  uint32_t sequence;
};

// Parses the first message of a datagram of `length` bytes. A truncated message (MSG_TRUNC, or attributes that claim
// more than is there) still gives its packet, flagged kTruncated, as long as the id is readable: a packet whose id we
// know must get a verdict, or it stays in the kernel's queue for good.
Message parse_message(const uint8_t* bytes, size_t length);

}  // namespace acsplit

#endif  // ACSPLIT_MESSAGE_H_
