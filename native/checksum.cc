#include "checksum.h"

#include <netinet/in.h>

#include <cstring>

namespace acsplit {
namespace {

// RFC 791, 3.1
constexpr size_t kIpv4MinHeader = 20;
constexpr size_t kIpv4TotalLength = 2;
constexpr size_t kIpv4Fragment = 6;
constexpr uint16_t kIpv4FragmentMask = 0x3fff;  // more fragments, and the offset
constexpr size_t kIpv4Protocol = 9;
constexpr size_t kIpv4Addresses = 12;  // source, then destination
// RFC 8200, 3
constexpr size_t kIpv6Header = 40;
constexpr size_t kIpv6PayloadLength = 4;
constexpr size_t kIpv6NextHeader = 6;
constexpr size_t kIpv6Addresses = 8;
// RFC 8200, 4.3 to 4.6: extension headers that may precede TCP. Each begins with the next header's number and its own
// length in units of 8 bytes, not counting the first 8.
constexpr size_t kExtensionMinHeader = 8;
constexpr size_t kRoutingSegmentsLeft = 3;
constexpr uint16_t kIpv6FragmentMask = 0xfff9;  // the offset, and more fragments
// As many as src/packet walks; no honest sender uses a longer chain.
constexpr int kMaxExtensions = 8;
// RFC 9293, 3.1
constexpr size_t kTcpMinHeader = 20;
constexpr size_t kTcpChecksum = 16;

uint16_t read_u16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }

uint16_t fold(uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

// Where the TCP segment and the two addresses are in the packet; segment_length 0: there is none that we may change.
struct Segment {
  size_t at;
  size_t length;
  size_t addresses_at;
  size_t addresses_length;
};

constexpr Segment kNone = {0, 0, 0, 0};

Segment find_in_ipv4(const uint8_t* packet, size_t length) {
  if (length < kIpv4MinHeader) return kNone;
  const size_t header = static_cast<size_t>(packet[0] & 0x0f) * 4;
  const size_t total = read_u16(packet + kIpv4TotalLength);
  if (header < kIpv4MinHeader || total > length || total < header + kTcpMinHeader) return kNone;
  if (packet[kIpv4Protocol] != IPPROTO_TCP) return kNone;
  if ((read_u16(packet + kIpv4Fragment) & kIpv4FragmentMask) != 0) return kNone;
  return {header, total - header, kIpv4Addresses, 8};
}

Segment find_in_ipv6(const uint8_t* packet, size_t length) {
  if (length < kIpv6Header) return kNone;
  const size_t end = kIpv6Header + read_u16(packet + kIpv6PayloadLength);
  if (end > length) return kNone;
  uint8_t next = packet[kIpv6NextHeader];
  size_t at = kIpv6Header;
  for (int extensions = 0; next != IPPROTO_TCP; extensions++) {
    // AH covers addresses that we have changed, and anything else is not TCP.
    const bool is_fragment = next == IPPROTO_FRAGMENT;
    const bool is_known = next == IPPROTO_HOPOPTS || next == IPPROTO_DSTOPTS || next == IPPROTO_ROUTING || is_fragment;
    if (!is_known || extensions == kMaxExtensions || at + kExtensionMinHeader > end) return kNone;
    // With segments left, the checksum covers the last destination, which is in the routing header. [RFC 8200 8.1]
    if (next == IPPROTO_ROUTING && packet[at + kRoutingSegmentsLeft] != 0) return kNone;
    // A fragment has no checksum of its own; a fragment header before a whole packet does not make it one. [RFC 6946]
    if (is_fragment && (read_u16(packet + at + 2) & kIpv6FragmentMask) != 0) return kNone;
    next = packet[at];
    // The second byte of a fragment header is reserved.
    at += is_fragment ? kExtensionMinHeader : (static_cast<size_t>(packet[at + 1]) + 1) * 8;
  }
  if (at + kTcpMinHeader > end) return kNone;
  return {at, end - at, kIpv6Addresses, 32};
}

}  // namespace

uint16_t ones_complement_sum(const uint8_t* bytes, size_t length, uint64_t start) {
  // Byte order does not matter until the end, so add native 32-bit words and swap the folded result: RFC 1071, section
  // 2 (B).
  uint64_t sum = htons(fold(start));
  size_t at = 0;
  for (; at + 4 <= length; at += 4) {
    uint32_t word;
    std::memcpy(&word, bytes + at, sizeof word);
    sum += word;
  }
  uint8_t tail[4] = {0, 0, 0, 0};
  if (at < length) std::memcpy(tail, bytes + at, length - at);
  uint32_t word;
  std::memcpy(&word, tail, sizeof word);
  return ntohs(fold(sum + word));
}

bool fill_tcp_checksum(uint8_t* packet, size_t length) {
  if (length == 0) return false;
  const uint8_t version = packet[0] >> 4;
  Segment segment = kNone;
  if (version == 4) segment = find_in_ipv4(packet, length);
  if (version == 6) segment = find_in_ipv6(packet, length);
  if (segment.length == 0) return false;

  uint8_t* field = packet + segment.at + kTcpChecksum;
  field[0] = field[1] = 0;
  // The pseudo-header: both addresses, the protocol, the segment's length.
  const uint64_t rest = static_cast<uint64_t>(IPPROTO_TCP) + segment.length;
  uint16_t sum = ones_complement_sum(packet + segment.addresses_at, segment.addresses_length, rest);
  sum = ones_complement_sum(packet + segment.at, segment.length, sum);
  const uint16_t checksum = static_cast<uint16_t>(~sum);
  field[0] = static_cast<uint8_t>(checksum >> 8);
  field[1] = static_cast<uint8_t>(checksum);
  return true;
}

}  // namespace acsplit
