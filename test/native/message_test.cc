// Parsing netlink messages: valid, cut, inconsistent, random.
#include "../../native/message.h"

#include <algorithm>
#include <climits>
#include <cstring>

#include "../../native/batch.h"
#include "check.h"
#include "messages.h"

using acsplit::Message;
using acsplit::MessageKind;

namespace {

constexpr size_t kPacketHeaderEnd = 20 + 4 + 7;  // headers, the attribute's header, its seven bytes
const Bytes kPayload = {0x45, 1, 2, 3, 4, 5, 6};

// Whatever the bytes, the result lies inside them.
Message parse_exactly(const Bytes& bytes, size_t length) {
  auto copy = exact_copy(bytes.data(), length);
  const Message message = acsplit::parse_message(copy.get(), length);
  if (message.kind == MessageKind::kPacket) {
    CHECK(message.offset <= length && message.length <= length - message.offset);
  }
  if (message.kind == MessageKind::kError) CHECK(message.error > 0);
  return message;
}

void check_deconstruct() {
  const Bytes bytes = packet_message(7, 0xfffffff0, kPayload, NFQA_SKB_CSUMNOTREADY | NFQA_SKB_GSO);
  const Message message = parse_exactly(bytes, bytes.size());
  CHECK(message.kind == MessageKind::kPacket);
  CHECK(message.queue == 7);
  CHECK(message.id == 0xfffffff0);
  CHECK(message.flags == (acsplit::kChecksumNotReady | acsplit::kGso));
  CHECK(message.length == kPayload.size());
  CHECK(std::equal(kPayload.begin(), kPayload.end(), bytes.begin() + static_cast<long>(message.offset)));

  // NFQA_SKB_CSUM_NOTVERIFIED is none of our flags; NFQA_CAP_LEN means that the tail is missing.
  const Bytes unverified = packet_message(0, 1, kPayload, NFQA_SKB_CSUM_NOTVERIFIED);
  CHECK(parse_exactly(unverified, unverified.size()).flags == 0);
  const Bytes capped = packet_message(0, 1, kPayload, 0, 9000);
  CHECK(parse_exactly(capped, capped.size()).flags == acsplit::kTruncated);
  const Bytes empty = packet_message(0, 1, {});
  CHECK(parse_exactly(empty, empty.size()).length == 0);
}

// A packet is known from the moment its id is legible, and marked as cut until its last byte is there.
void check_every_truncation() {
  const Bytes bytes = packet_message(3, 5, kPayload, NFQA_SKB_GSO);
  const size_t payload_end = bytes.size() - 1;  // one byte of padding
  for (size_t length = 0; length < bytes.size(); length++) {
    const Message message = parse_exactly(bytes, length);
    if (length < kPacketHeaderEnd) {
      CHECK(message.kind == MessageKind::kMalformed);
      continue;
    }
    CHECK(message.kind == MessageKind::kPacket && message.id == 5 && message.queue == 3);
    CHECK((message.flags & acsplit::kTruncated) != 0);
    if (length >= payload_end) CHECK(message.length == kPayload.size());
  }
}

void check_lying_lengths() {
  const Bytes bytes = packet_message(3, 5, kPayload, NFQA_SKB_GSO);
  // Where the attributes begin: packet header, ifindex, skb info, payload.
  for (const size_t at : {20u, 32u, 40u, 48u}) {
    for (uint32_t lie = 0; lie <= 0xffff; lie++) {
      Bytes lying = bytes;
      const uint16_t length = static_cast<uint16_t>(lie);
      std::memcpy(&lying[at], &length, sizeof length);
      const Message message = parse_exactly(lying, lying.size());
      CHECK(at == 20 || message.kind == MessageKind::kPacket);
      if (at == 48 && length > 4 + kPayload.size() + 1) CHECK((message.flags & acsplit::kTruncated) != 0);
      if (at == 48 && length < 4) CHECK(message.length == 0);
    }
  }
  for (const uint32_t lie : {0u, 1u, 15u, 16u, 19u, 20u, 100000u, 0x7fffffffu, 0xffffffffu}) {
    Bytes lying = bytes;
    std::memcpy(lying.data(), &lie, sizeof lie);
    const Message message = parse_exactly(lying, lying.size());
    CHECK(message.kind == (lie > kPacketHeaderEnd ? MessageKind::kPacket : MessageKind::kMalformed));
  }
}

void check_errors() {
  for (const int code : {-2, -1, -105, -4095}) {
    const Bytes bytes = error_message(code, 0x87654321);
    const Message message = parse_exactly(bytes, bytes.size());
    CHECK(message.kind == MessageKind::kError && message.error == -code && message.sequence == 0x87654321);
    for (size_t length = 0; length < 20; length++) {
      CHECK(parse_exactly(bytes, length).kind == MessageKind::kMalformed);
    }
  }
  for (const int code : {1, INT_MAX, INT_MIN, -4096}) {
    const Bytes bytes = error_message(code);
    CHECK(parse_exactly(bytes, bytes.size()).error == EINVAL);
  }
  const Bytes acknowledgement = error_message(0);
  CHECK(parse_exactly(acknowledgement, acknowledgement.size()).kind == MessageKind::kOther);
}

void check_noise() {
  const Bytes bytes = packet_message(3, 5, kPayload, NFQA_SKB_GSO, 900);
  for (size_t bit = 0; bit < bytes.size() * 8; bit++) {
    Bytes flipped = bytes;
    flipped[bit / 8] ^= static_cast<uint8_t>(1 << (bit % 8));
    parse_exactly(flipped, flipped.size());
  }
  std::mt19937 random(2);
  for (int round = 0; round < 100000; round++) {
    Bytes noise = random_bytes(random, random() % 160);
    // Most rounds keep a right type, or nearly every message would end there.
    if (noise.size() >= 6 && round % 8 != 0) {
      std::memcpy(&noise[4], &bytes[4], 2);
      if (round % 2 == 0) noise[2] = noise[3] = 0;
    }
    parse_exactly(noise, noise.size());
  }
}

}  // namespace

void test_message() {
  check_deconstruct();
  check_every_truncation();
  check_lying_lengths();
  check_errors();
  check_noise();
}
