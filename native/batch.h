// The layout of a batch of packets in the memory shared with JavaScript. Plain data: no napi, no sockets.
//
// Defined twice, here and in src/packet/batch.ts, because both sides read it at full speed. The addon exports this
// definition and test/e2e/native-layout.test.ts compares the two. Everything is little-endian words and byte offsets:
//
//     int32 header[16]          kHeaderCount: how many packets the batch holds
//     int32 column[capacity]    one per Column, in that order
//     bytes slot[capacity]      kSlotBytes each, 8-aligned: a whole netlink message, the packet somewhere inside
#ifndef ACSPLIT_BATCH_H_
#define ACSPLIT_BATCH_H_

#include <cstddef>
#include <cstdint>

namespace acsplit {

constexpr size_t kHeaderWords = 16;
constexpr size_t kHeaderCount = 0;

// 64 KiB, the largest packet NFQUEUE delivers, and 4 KiB for netlink's headers and attributes.
constexpr size_t kSlotBytes = 65536 + 4096;

// recvmmsg takes at most UIO_MAXIOV datagrams at once.
constexpr size_t kMaxCapacity = 1024;

enum Column : size_t { kQueue, kPacketId, kFlags, kOffset, kLength, kVerdict, kReason, kColumns };

constexpr const char* kColumnNames[kColumns] = {"queue", "packetId", "flags", "offset", "length", "verdict", "reason"};

// Bits of the flags column.
enum Flag : int32_t { kChecksumNotReady = 1, kGso = 2, kTruncated = 4 };

// Values of the verdict column. A packet arrives as Undecided: found after a crash, it means that nobody has decided.
// If sent, it drops the packet.
enum Verdict : int32_t { kUndecided = -1, kDrop = 0, kAccept = 1, kAcceptRewritten = 2 };

constexpr size_t column_offset(size_t column, size_t capacity) {
  return (kHeaderWords + column * capacity) * sizeof(int32_t);
}

constexpr size_t slots_offset(size_t capacity) { return (column_offset(kColumns, capacity) + 7) & ~size_t{7}; }

constexpr size_t region_bytes(size_t capacity) { return slots_offset(capacity) + capacity * kSlotBytes; }

// A batch's columns and slots. Owns nothing: the region is JavaScript's and at least region_bytes(capacity) long.
struct Batch {
  uint8_t* region;
  size_t capacity;

  int32_t* column(Column which) const {
    return reinterpret_cast<int32_t*>(region + column_offset(which, capacity));
  }

  void set_count(size_t packets) const {
    reinterpret_cast<int32_t*>(region)[kHeaderCount] = static_cast<int32_t>(packets);
  }

  size_t count() const {
    const int32_t packets = reinterpret_cast<const int32_t*>(region)[kHeaderCount];
    return packets < 0 ? 0 : packets > static_cast<int32_t>(capacity) ? capacity : static_cast<size_t>(packets);
  }

  // The slot that holds a row's packet; `capacity` when its offset has been tampered with.
  size_t slot_of(size_t row) const {
    const size_t offset = static_cast<uint32_t>(column(kOffset)[row]);
    if (offset < slots_offset(capacity) || offset >= region_bytes(capacity)) return capacity;
    return (offset - slots_offset(capacity)) / kSlotBytes;
  }

  uint8_t* slot(size_t index) const { return region + slots_offset(capacity) + index * kSlotBytes; }
};

}  // namespace acsplit

#endif  // ACSPLIT_BATCH_H_
