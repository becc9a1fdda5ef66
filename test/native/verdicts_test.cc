// The assembled pieces against the same verdicts written by libnetfilter_queue.
#include "../../native/verdicts.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include <algorithm>
#include <cstring>

#include "../../native/checksum.h"
#include "check.h"

using namespace acsplit;

namespace {

constexpr uint16_t kFirstQueue = 100;

struct Region {
  explicit Region(size_t capacity)
      : memory(new uint8_t[region_bytes(capacity)]()), batch{memory.get(), capacity}, count(0) {}

  void push(int32_t queue, uint32_t id, int32_t verdict, const Bytes& payload, int32_t flags = 0) {
    const size_t at = static_cast<size_t>(batch.slot(count) - batch.region) + 68;
    std::copy(payload.begin(), payload.end(), batch.region + at);
    batch.column(kQueue)[count] = queue;
    batch.column(kPacketId)[count] = static_cast<int32_t>(id);
    batch.column(kFlags)[count] = flags;
    batch.column(kOffset)[count] = static_cast<int32_t>(at);
    batch.column(kLength)[count] = static_cast<int32_t>(payload.size());
    batch.column(kVerdict)[count] = verdict;
    count++;
  }

  std::unique_ptr<uint8_t[]> memory;
  Batch batch;
  size_t count;
};

Bytes gather(VerdictMessages& messages) {
  Bytes all;
  for (size_t i = 0; i < messages.piece_count(); i++) {
    const uint8_t* at = static_cast<uint8_t*>(messages.pieces()[i].iov_base);
    all.insert(all.end(), at, at + messages.pieces()[i].iov_len);
  }
  CHECK(all.size() == messages.bytes());
  return all;
}

Bytes twin(uint16_t queue, uint32_t id, uint32_t verdict, const Bytes* payload) {
  Bytes bytes(70000);
  nlmsghdr* message = nfq_nlmsg_put(reinterpret_cast<char*>(bytes.data()), NFQNL_MSG_VERDICT, queue);
  nfq_nlmsg_verdict_put(message, static_cast<int>(id), static_cast<int>(verdict));
  if (payload != nullptr) nfq_nlmsg_verdict_put_pkt(message, payload->data(), static_cast<uint32_t>(payload->size()));
  bytes.resize(message->nlmsg_len);
  return bytes;
}

void append(Bytes& to, const Bytes& more) { to.insert(to.end(), more.begin(), more.end()); }

void check_against_twin() {
  std::mt19937 random(3);
  VerdictMessages messages(64);
  for (size_t length = 1; length < 1600; length += length < 70 ? 1 : 97) {
    Region region(8);
    const Bytes payload = random_bytes(random, length);
    const uint32_t id = static_cast<uint32_t>(random());
    region.push(0, id, kAcceptRewritten, payload);
    region.push(1, id + 1, kAccept, payload);
    region.push(2, id + 2, kDrop, payload);
    region.push(3, id + 3, 77, payload);  // no verdict we know: dropped
    region.push(0, id + 4, kAcceptRewritten, payload, kGso | kChecksumNotReady);
    Bytes expected = twin(100, id, NF_ACCEPT, &payload);
    append(expected, twin(101, id + 1, NF_ACCEPT, nullptr));
    append(expected, twin(102, id + 2, NF_DROP, nullptr));
    append(expected, twin(103, id + 3, NF_DROP, nullptr));
    append(expected, twin(100, id + 4, NF_ACCEPT, &payload));

    CHECK(messages.assemble(region.batch, kFirstQueue, 0, region.count, 1 << 20) == 5);
    CHECK(gather(messages) == expected);
    CHECK(messages.refused() == 0);
    // Head, payload, everything between the payloads, payload, and the padding if any.
    CHECK(messages.piece_count() == (length % 4 == 0 ? 4 : 5));
  }
}

// Every split gives the same bytes: neither a verdict twice nor one left out.
void check_limits() {
  std::mt19937 random(4);
  Region region(200);
  Bytes expected;
  for (uint32_t i = 0; i < 200; i++) {
    const Bytes payload = random_bytes(random, 1 + random() % 300);
    region.push(0, i, i % 3 == 0 ? kAccept : kAcceptRewritten, payload);
    append(expected, twin(100, i, NF_ACCEPT, i % 3 == 0 ? nullptr : &payload));
  }
  VerdictMessages messages(200);
  for (const size_t limit : {1u, 36u, 100u, 337u, 1000u, 5000u, 1u << 20}) {
    Bytes all;
    for (size_t from = 0; from < region.count;) {
      const size_t taken = messages.assemble(region.batch, kFirstQueue, from, region.count, limit);
      CHECK(taken > 0);
      CHECK(taken == 1 || messages.bytes() <= limit);
      append(all, gather(messages));
      from += taken;
    }
    CHECK(all == expected);
  }

  Region full(kMaxCapacity);
  for (uint32_t i = 0; i < kMaxCapacity; i++) full.push(0, i, kAcceptRewritten, {1, 2, 3});
  VerdictMessages many(kMaxCapacity);
  const size_t taken = many.assemble(full.batch, kFirstQueue, 0, full.count, 1 << 30);
  CHECK(taken > 500 && taken < kMaxCapacity && many.piece_count() <= VerdictMessages::kMaxPieces);
}

void check_refused() {
  const size_t capacity = 8;
  const int32_t end = static_cast<int32_t>(region_bytes(capacity));
  const int32_t begin = static_cast<int32_t>(slots_offset(capacity));
  struct {
    int32_t offset, length, flags;
  } const lies[] = {
      {begin, 100, kTruncated}, {begin, 0, 0},     {begin, -1, 0},       {begin, 65532, 0},   {begin - 1, 100, 0},
      {end - 99, 100, 0},       {end, 1, 0},       {end + 1, 1, 0},      {-1, 100, 0},        {0, 100, 0},
      {0x7fffffff, 100, 0},     {begin, 70000, 0}, {INT32_MIN, 1000, 0}, {end - 1, 65531, 0},
  };
  VerdictMessages messages(capacity);
  for (const auto& lie : lies) {
    Region region(capacity);
    region.push(0, 9, kAcceptRewritten, {1, 2, 3});
    region.batch.column(kOffset)[0] = lie.offset;
    region.batch.column(kLength)[0] = lie.length;
    region.batch.column(kFlags)[0] = lie.flags;
    CHECK(messages.assemble(region.batch, kFirstQueue, 0, 1, 1 << 20) == 1);
    CHECK(messages.refused() == 1);
    CHECK(gather(messages) == twin(100, 9, NF_DROP, nullptr));
  }
  Region longest(capacity);
  const Bytes payload(65531, 0x42);
  longest.push(0, 9, kAcceptRewritten, payload);
  messages.assemble(longest.batch, kFirstQueue, 0, 1, 1 << 20);
  CHECK(messages.refused() == 0 && gather(messages) == twin(100, 9, NF_ACCEPT, &payload));
}

// A 20-byte IPv4 and a 20-byte TCP header, one byte of payload; the checksum field holds nonsense.
void check_checksum_is_filled() {
  Bytes packet = {0x45, 0, 0, 41, 0, 0, 0, 0, 64, 6, 0, 0, 10, 1, 0, 2, 10, 2, 0, 2, 0, 80, 0, 90,
                  0,    0, 0, 1,  0, 0, 0, 0, 0x50, 0x10, 1, 0, 0xde, 0xad, 0, 0, 'x'};
  Bytes filled = packet;
  CHECK(fill_tcp_checksum(filled.data(), filled.size()) && filled != packet);
  struct {
    int32_t verdict, flags;
    const Bytes& leaves;
  } const rows[] = {
      {kAcceptRewritten, kChecksumNotReady, filled},
      {kAcceptRewritten, kChecksumNotReady | kGso, packet},
      {kAcceptRewritten, 0, packet},
  };
  for (const auto& row : rows) {
    Region region(1);
    region.push(0, 1, row.verdict, packet, row.flags);
    VerdictMessages messages(1);
    messages.assemble(region.batch, kFirstQueue, 0, 1, 1 << 20);
    CHECK(gather(messages) == twin(100, 1, NF_ACCEPT, &row.leaves));
  }
}

}  // namespace

void test_verdicts() {
  check_against_twin();
  check_limits();
  check_refused();
  check_checksum_is_filled();
}
