// libFuzzer's target: any bytes as a netlink message to the queue's socket, and what follows from them: the batch's
// columns, the missing checksum, the verdict. What it must hold is written as CHECKs; the sanitizers watch the rest.
// By hand, with clang:      docs/testing.md, "Fuzzing the native side"
// In npm test, with any compiler: driver.cc replays the corpus and mutates it, the same way every time.
#include <algorithm>
#include <cstring>

#include "../../../native/batch.h"
#include "../../../native/checksum.h"
#include "../../../native/message.h"
#include "../../../native/verdicts.h"
#include "../check.h"

namespace {

using acsplit::Batch;
using acsplit::Message;
using acsplit::MessageKind;

// A batch of one packet, as Queue::receive fills it.
void check_verdict(const Message& message, const uint8_t* bytes, size_t length, int32_t verdict) {
  static std::vector<uint8_t> region(acsplit::region_bytes(1));
  const Batch batch = {region.data(), 1};
  const size_t held = std::min(length, acsplit::kSlotBytes);
  std::memcpy(batch.slot(0), bytes, held);
  batch.set_count(1);
  batch.column(acsplit::kQueue)[0] = message.queue;
  batch.column(acsplit::kPacketId)[0] = static_cast<int32_t>(message.id);
  batch.column(acsplit::kFlags)[0] = message.flags;
  batch.column(acsplit::kOffset)[0] = static_cast<int32_t>(acsplit::slots_offset(1) + message.offset);
  batch.column(acsplit::kLength)[0] = static_cast<int32_t>(message.length);
  batch.column(acsplit::kVerdict)[0] = verdict;
  acsplit::VerdictMessages messages(1);
  CHECK(messages.assemble(batch, 0, 0, 1, 1 << 20) == 1);
  size_t sent = 0;
  for (size_t i = 0; i < messages.piece_count(); i++) sent += messages.pieces()[i].iov_len;
  CHECK(sent == messages.bytes() && sent >= 32 && sent % 4 == 0);
  // A cut packet never goes back.
  if ((message.flags & acsplit::kTruncated) != 0) CHECK(sent == 32);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length) {
  auto copy = exact_copy(bytes, length);
  const Message message = acsplit::parse_message(copy.get(), length);
  if (message.kind == MessageKind::kError) CHECK(message.error > 0 && message.error <= 4095);
  if (message.kind != MessageKind::kPacket) return 0;
  CHECK(message.offset <= length && message.length <= length - message.offset);

  // A copy that ends where the payload ends. The checksum is filled in twice alike, or refused twice.
  auto payload = exact_copy(copy.get() + message.offset, message.length);
  const bool filled = acsplit::fill_tcp_checksum(payload.get(), message.length);
  auto again = exact_copy(payload.get(), message.length);
  CHECK(acsplit::fill_tcp_checksum(again.get(), message.length) == filled);
  CHECK(std::equal(again.get(), again.get() + message.length, payload.get()));
  if (!filled) CHECK(std::equal(payload.get(), payload.get() + message.length, copy.get() + message.offset));

  for (const int32_t verdict : {-1, 0, 1, 2, 3}) {
    check_verdict(message, copy.get(), length, verdict);
  }
  return 0;
}
