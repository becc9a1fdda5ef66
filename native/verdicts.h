// The verdicts of a batch as netlink messages: small heads in our own memory, packets where they already are. Payloads
// are not copied in user space; sendmsg gathers the pieces. No sockets here.
#ifndef ACSPLIT_VERDICTS_H_
#define ACSPLIT_VERDICTS_H_

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "batch.h"

namespace acsplit {

// nlmsg_seq of a verdict that a process may already have sent before it died. The kernel returns the number with a
// refusal: "no such packet" for this number means nothing, for any other it means that a packet was lost. It is above
// the queue numbers, which configuration messages use.
constexpr uint32_t kRepeated = 0x10000;

class VerdictMessages {
 public:
  // The most pieces sendmsg takes (UIO_MAXIOV).
  static constexpr size_t kMaxPieces = 1024;
  // NFQA_PAYLOAD's length is 16 bits and includes the attribute's header.
  static constexpr size_t kMaxPayload = 0xffff - 4;

  explicit VerdictMessages(size_t capacity);

  // Assembles the verdicts of packets [from, to) until the next would exceed `max_bytes` or the pieces run out; the
  // first one always goes in. Fills in missing TCP checksums of rewritten packets. Returns how many went in. A payload
  // that must not go back (truncated, outside the region, too long) becomes a drop and counts as refused. Every message
  // has `sequence`.
  size_t assemble(const Batch& batch, uint16_t first_queue, size_t from, size_t to, size_t max_bytes,
                  uint32_t sequence = 0);

  iovec* pieces() { return pieces_.data(); }
  size_t piece_count() const { return pieces_.size(); }
  size_t bytes() const { return bytes_; }
  // Refused in the last assembly.
  size_t refused() const { return refused_; }

 private:
  void append_head(const void* head, size_t length);
  void append_piece(void* at, size_t length);

  std::vector<uint8_t> heads_;
  size_t heads_used_ = 0;
  std::vector<iovec> pieces_;
  size_t bytes_ = 0;
  size_t refused_ = 0;
};

}  // namespace acsplit

#endif  // ACSPLIT_VERDICTS_H_
