// Netlink messages as the kernel sends them to a queue's socket, for tests.
#ifndef ACSPLIT_TEST_MESSAGES_H_
#define ACSPLIT_TEST_MESSAGES_H_

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include "check.h"

// The attributes in the kernel's order; skb_info 0 and cap_len 0 leave theirs out, as the kernel does.
inline Bytes packet_message(uint16_t queue, uint32_t id, const Bytes& payload, uint32_t skb_info = 0,
                            uint32_t cap_len = 0) {
  Bytes bytes(payload.size() + 512);
  nlmsghdr* message = mnl_nlmsg_put_header(bytes.data());
  message->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
  auto* generic = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  generic->res_id = htons(queue);
  nfqnl_msg_packet_hdr header = {htonl(id), htons(0x0800), 0};
  mnl_attr_put(message, NFQA_PACKET_HDR, sizeof header, &header);
  mnl_attr_put_u32(message, NFQA_IFINDEX_INDEV, htonl(2));
  if (skb_info != 0) mnl_attr_put_u32(message, NFQA_SKB_INFO, htonl(skb_info));
  if (cap_len != 0) mnl_attr_put_u32(message, NFQA_CAP_LEN, htonl(cap_len));
  mnl_attr_put(message, NFQA_PAYLOAD, payload.size(), payload.data());
  bytes.resize(message->nlmsg_len);
  return bytes;
}

// `sequence`: of the message that is refused.
inline Bytes error_message(int code, uint32_t sequence = 0) {
  Bytes bytes(NLMSG_LENGTH(sizeof(nlmsgerr)));
  nlmsghdr* message = mnl_nlmsg_put_header(bytes.data());
  message->nlmsg_type = NLMSG_ERROR;
  message->nlmsg_seq = sequence;
  auto* error = static_cast<nlmsgerr*>(mnl_nlmsg_put_extra_header(message, sizeof(nlmsgerr)));
  error->error = code;
  return bytes;
}

#endif  // ACSPLIT_TEST_MESSAGES_H_
