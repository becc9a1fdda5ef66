#include "verdicts.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>

#include <cstring>

#include "checksum.h"

namespace acsplit {
namespace {

// A verdict in wire format; every member is 4-aligned, so there is no padding.
struct Head {
  nlmsghdr message;
  nfgenmsg generic;
  nlattr verdict_attribute;
  nfqnl_msg_verdict_hdr verdict;
  nlattr payload_attribute;  // only when a payload follows
};
static_assert(sizeof(Head) == 36, "netlink's layout");
constexpr size_t kHeadWithoutPayload = sizeof(Head) - sizeof(nlattr);

constexpr uint8_t kZeros[NLA_ALIGNTO] = {0};

Head make_head(uint16_t queue, uint32_t id, uint32_t verdict, uint32_t sequence) {
  Head head;
  std::memset(&head, 0, sizeof head);
  head.message.nlmsg_len = kHeadWithoutPayload;
  head.message.nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT;
  head.message.nlmsg_flags = NLM_F_REQUEST;
  head.message.nlmsg_seq = sequence;
  head.generic.version = NFNETLINK_V0;
  head.generic.res_id = htons(queue);
  head.verdict_attribute.nla_len = sizeof(nlattr) + sizeof(nfqnl_msg_verdict_hdr);
  head.verdict_attribute.nla_type = NFQA_VERDICT_HDR;
  head.verdict.verdict = htonl(verdict);
  head.verdict.id = htonl(id);
  return head;
}

// Whether packet `index` may go back with the bytes in its slot.
bool payload_may_return(const Batch& batch, size_t index) {
  const size_t offset = static_cast<uint32_t>(batch.column(kOffset)[index]);
  const size_t length = static_cast<uint32_t>(batch.column(kLength)[index]);
  const size_t end = region_bytes(batch.capacity);
  if ((batch.column(kFlags)[index] & kTruncated) != 0) return false;
  if (length == 0 || length > VerdictMessages::kMaxPayload) return false;
  return offset >= slots_offset(batch.capacity) && offset <= end && length <= end - offset;
}

}  // namespace

VerdictMessages::VerdictMessages(size_t capacity) : heads_(capacity * (sizeof(Head) + NLA_ALIGNTO)) {
  pieces_.reserve(kMaxPieces);
}

void VerdictMessages::append_piece(void* at, size_t length) {
  bytes_ += length;
  if (!pieces_.empty()) {
    iovec& last = pieces_.back();
    if (static_cast<uint8_t*>(last.iov_base) + last.iov_len == at) {
      last.iov_len += length;
      return;
    }
  }
  pieces_.push_back({at, length});
}

// Heads, and the padding after payloads, are consecutive in heads_, so neighbours merge into one piece.
void VerdictMessages::append_head(const void* head, size_t length) {
  uint8_t* at = heads_.data() + heads_used_;
  std::memcpy(at, head, length);
  heads_used_ += length;
  append_piece(at, length);
}

size_t VerdictMessages::assemble(const Batch& batch, uint16_t first_queue, size_t from, size_t to, size_t max_bytes,
                                 uint32_t sequence) {
  heads_used_ = 0;
  bytes_ = 0;
  refused_ = 0;
  pieces_.clear();
  const int32_t* queues = batch.column(kQueue);
  const int32_t* ids = batch.column(kPacketId);
  const int32_t* flags = batch.column(kFlags);
  const int32_t* offsets = batch.column(kOffset);
  const int32_t* lengths = batch.column(kLength);
  const int32_t* verdicts = batch.column(kVerdict);

  size_t index = from;
  for (; index < to; index++) {
    const bool wants_payload = verdicts[index] == kAcceptRewritten;
    const bool with_payload = wants_payload && payload_may_return(batch, index);
    const size_t length = with_payload ? static_cast<size_t>(lengths[index]) : 0;
    const bool fits = bytes_ + sizeof(Head) + NLA_ALIGN(length) <= max_bytes && pieces_.size() + 3 <= kMaxPieces;
    if (!fits && index > from) break;
    if (wants_payload && !with_payload) refused_++;

    const bool accepted = with_payload || verdicts[index] == kAccept;
    Head head = make_head(static_cast<uint16_t>(first_queue + queues[index]), static_cast<uint32_t>(ids[index]),
                          accepted ? NF_ACCEPT : NF_DROP, sequence);
    if (!with_payload) {
      append_head(&head, kHeadWithoutPayload);
      continue;
    }
    uint8_t* payload = batch.region + static_cast<uint32_t>(offsets[index]);
    if ((flags[index] & (kChecksumNotReady | kGso)) == kChecksumNotReady) fill_tcp_checksum(payload, length);
    // The attribute's own length excludes the padding: the kernel takes it as the packet's new length.
    head.payload_attribute.nla_len = static_cast<uint16_t>(sizeof(nlattr) + length);
    head.payload_attribute.nla_type = NFQA_PAYLOAD;
    head.message.nlmsg_len = static_cast<uint32_t>(sizeof(Head) + NLA_ALIGN(length));
    append_head(&head, sizeof head);
    append_piece(payload, length);
    if (NLA_ALIGN(length) > length) append_head(kZeros, NLA_ALIGN(length) - length);
  }
  return index - from;
}

}  // namespace acsplit
