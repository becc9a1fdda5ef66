// The TCP checksum against a slow and simple twin.
#include "../../native/checksum.h"

#include <algorithm>

#include "check.h"

namespace {

// RFC 1071 as its text has it: 16-bit words, an odd byte padded with zero, carries folded as they arise.
uint16_t naive_sum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<uint32_t>(bytes[i] << 8) + (i + 1 < bytes.size() ? bytes[i + 1] : 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return static_cast<uint16_t>(sum);
}

uint16_t naive_tcp_checksum(const Bytes& addresses, const Bytes& segment) {
  Bytes all = addresses;  // pseudo-header
  all.insert(all.end(), {0, 6, static_cast<uint8_t>(segment.size() >> 8), static_cast<uint8_t>(segment.size())});
  all.insert(all.end(), segment.begin(), segment.end());
  return static_cast<uint16_t>(~naive_sum(all));
}

struct Packet {
  Bytes bytes;
  size_t tcp_at;
  size_t addresses_at;
  size_t addresses_length;
};

Packet make_ipv4(std::mt19937& random, size_t option_words, size_t payload) {
  const size_t header = 20 + option_words * 4;
  Bytes bytes = random_bytes(random, header + 20 + payload);
  bytes[0] = static_cast<uint8_t>(0x40 | (header / 4));
  bytes[2] = static_cast<uint8_t>(bytes.size() >> 8);
  bytes[3] = static_cast<uint8_t>(bytes.size());
  bytes[6] = 0x40;  // don't fragment
  bytes[7] = 0;
  bytes[9] = 6;
  return {bytes, header, 12, 8};
}

constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kAuthentication = 51;
constexpr uint8_t kDestinationOptions = 60;

// `extensions` before TCP, each of 8, 16, 24, ... bytes; routing headers have no segments left.
Packet make_ipv6(std::mt19937& random, size_t payload, const Bytes& extensions = {}) {
  size_t tcp_at = 40;
  for (size_t i = 0; i < extensions.size(); i++) tcp_at += (i + 1) * 8;
  Bytes bytes = random_bytes(random, tcp_at + 20 + payload);
  bytes[0] = static_cast<uint8_t>(0x60 | (bytes[0] & 0x0f));
  bytes[4] = static_cast<uint8_t>((bytes.size() - 40) >> 8);
  bytes[5] = static_cast<uint8_t>(bytes.size() - 40);
  size_t number_at = 6;
  size_t at = 40;
  for (size_t i = 0; i < extensions.size(); i++) {
    bytes[number_at] = extensions[i];
    number_at = at;
    bytes[at + 1] = static_cast<uint8_t>(i);
    if (extensions[i] == kRouting) bytes[at + 3] = 0;
    at += (i + 1) * 8;
  }
  bytes[number_at] = 6;
  return {bytes, tcp_at, 8, 32};
}

// `padding` bytes after the packet, as Ethernet adds to short ones, and `shift` to try every alignment.
void check_against_twin(const Packet& packet, size_t padding, size_t shift) {
  Bytes segment(packet.bytes.begin() + static_cast<long>(packet.tcp_at), packet.bytes.end());
  segment[16] = segment[17] = 0;
  const auto addresses = packet.bytes.begin() + static_cast<long>(packet.addresses_at);
  const Bytes pseudo(addresses, addresses + static_cast<long>(packet.addresses_length));
  const uint16_t expected = naive_tcp_checksum(pseudo, segment);

  Bytes shifted(shift, 0xa5);
  shifted.insert(shifted.end(), packet.bytes.begin(), packet.bytes.end());
  shifted.resize(shifted.size() + padding, 0xee);
  auto copy = exact_copy(shifted.data(), shifted.size());
  CHECK(acsplit::fill_tcp_checksum(copy.get() + shift, shifted.size() - shift));
  const uint8_t* field = copy.get() + shift + packet.tcp_at + 16;
  CHECK((field[0] << 8 | field[1]) == expected);
  // Nothing else was touched.
  shifted[shift + packet.tcp_at + 16] = field[0];
  shifted[shift + packet.tcp_at + 17] = field[1];
  CHECK(std::equal(shifted.begin(), shifted.end(), copy.get()));
}

void check_refused(const Bytes& bytes, size_t length) {
  auto copy = exact_copy(bytes.data(), length);
  CHECK(!acsplit::fill_tcp_checksum(copy.get(), length));
  CHECK(std::equal(copy.get(), copy.get() + length, bytes.begin()));
}

Bytes with(Bytes bytes, size_t at, uint8_t value) {
  bytes[at] = value;
  return bytes;
}

void check_extension_headers(std::mt19937& random) {
  const Bytes eight = {0, 60, 43, 60, 60, 60, 60, 60};
  const Bytes chains[] = {{kHopByHop}, {kRouting}, {kDestinationOptions}, {kHopByHop, kRouting, kDestinationOptions}, eight};
  for (const Bytes& chain : chains) {
    const Packet packet = make_ipv6(random, 5, chain);
    check_against_twin(packet, 0, 0);
    for (size_t length = 0; length < packet.bytes.size(); length++) check_refused(packet.bytes, length);
  }
  Bytes nine = eight;
  nine.push_back(kDestinationOptions);
  for (const Bytes& chain : {nine, Bytes{kFragment}, Bytes{kAuthentication}, Bytes{17}, Bytes{kHopByHop, kFragment}}) {
    Bytes bytes = make_ipv6(random, 5, chain).bytes;
    if (chain.back() == kFragment) bytes[bytes.size() - 20 - 5 - 8 * chain.size() + 3] |= 1;  // more fragments
    check_refused(bytes, bytes.size());
  }
  Bytes atomic = make_ipv6(random, 5, {kFragment}).bytes;
  atomic[42] = atomic[43] = 0;
  check_against_twin({atomic, 48, 8, 32}, 0, 0);
  const Bytes routed = make_ipv6(random, 5, {kRouting}).bytes;
  check_refused(with(routed, 43, 1), routed.size());    // a segment left
  check_refused(with(routed, 41, 1), routed.size());    // TCP would begin in its own middle
  check_refused(with(routed, 41, 255), routed.size());  // behind the packet
  check_refused(with(routed, 5, 7), routed.size());     // not even the extension header
}

void check_lies(std::mt19937& random) {
  const Packet ipv4 = make_ipv4(random, 0, 5);
  const Packet ipv6 = make_ipv6(random, 5);
  for (const Packet* packet : {&ipv4, &ipv6}) {
    for (size_t length = 0; length < packet->bytes.size(); length++) check_refused(packet->bytes, length);
  }
  const size_t all = ipv4.bytes.size();
  check_refused(with(ipv4.bytes, 0, 0x44), all);  // header of 16 bytes
  check_refused(with(ipv4.bytes, 0, 0x4f), all);  // header of 60 bytes: none left for TCP
  check_refused(with(ipv4.bytes, 0, 0x55), all);  // version 5
  check_refused(with(ipv4.bytes, 3, static_cast<uint8_t>(all + 1)), all);
  check_refused(with(ipv4.bytes, 3, 39), all);    // one short of both headers
  check_refused(with(ipv4.bytes, 6, 0x20), all);  // more fragments
  check_refused(with(ipv4.bytes, 7, 1), all);     // a later fragment
  check_refused(with(ipv4.bytes, 9, 17), all);    // UDP
  check_refused(with(ipv6.bytes, 6, 44), ipv6.bytes.size());  // fragment header
  check_refused(with(ipv6.bytes, 5, 26), ipv6.bytes.size());
  check_refused(with(ipv6.bytes, 5, 19), ipv6.bytes.size());
}

}  // namespace

void test_checksum() {
  std::mt19937 random(1);
  for (size_t payload = 0; payload < 300; payload++) {
    for (size_t shift = 0; shift < 8; shift++) {
      check_against_twin(make_ipv4(random, payload % 11, payload), payload % 3, shift);
      check_against_twin(make_ipv6(random, payload), payload % 3, shift);
    }
  }
  for (const size_t payload : {1459u, 1460u, 8959u, 65494u, 65495u}) {
    check_against_twin(make_ipv4(random, 0, payload), 0, 0);
  }
  // Words of all ones and all zeros, where one's-complement arithmetic has its two zeros.
  for (const uint8_t filling : {0x00, 0xff}) {
    Packet packet = make_ipv4(random, 0, 101);
    std::fill(packet.bytes.begin() + 12, packet.bytes.end(), filling);
    check_against_twin(packet, 0, 0);
  }
  check_extension_headers(random);
  check_lies(random);
}
