// The TCP checksum in full, for packets whose sender left it to a network card (NFQA_SKB_CSUMNOTREADY).
// Pure functions over bytes.
#ifndef ACSPLIT_CHECKSUM_H_
#define ACSPLIT_CHECKSUM_H_

#include <cstddef>
#include <cstdint>

namespace acsplit {

// The Internet checksum's one's-complement sum of `bytes`, folded to 16 bits and not inverted, the 16-bit words read
// in network order; an odd last byte counts as if a zero followed. `start` is an earlier sum to go on from. [RFC 1071]
uint16_t ones_complement_sum(const uint8_t* bytes, size_t length, uint64_t start);

// Writes the checksum of an unfragmented IPv4 or IPv6 packet's TCP segment in place, over pseudo-header, header and
// payload. False, and nothing written, when the bytes are not such a packet or its lengths do not fit in `length`.
// In IPv6, hop-by-hop options, destination options, finished routing headers and a fragment header before a whole packet may
// stand before TCP.
// [RFC 9293 3.1, RFC 8200 4 and 8.1]
bool fill_tcp_checksum(uint8_t* packet, size_t length);

}  // namespace acsplit

#endif  // ACSPLIT_CHECKSUM_H_
