// The full TCP checksum, for packets whose sender left it to a network card (NFQA_SKB_CSUMNOTREADY). Pure functions
// over bytes.
#ifndef ACSPLIT_CHECKSUM_H_
#define ACSPLIT_CHECKSUM_H_

#include <cstddef>
#include <cstdint>

namespace acsplit {

// The Internet checksum's one's-complement sum of `bytes`, folded to 16 bits and not inverted. The 16-bit words are in
// network order; an odd last byte is padded with a zero. `start` is an earlier sum to continue from. [RFC 1071]
uint16_t ones_complement_sum(const uint8_t* bytes, size_t length, uint64_t start);

// Writes the TCP checksum of an unfragmented IPv4 or IPv6 packet in place, over pseudo-header, header and payload.
// Returns false and writes nothing when the bytes are not such a packet or its lengths exceed `length`. In IPv6, TCP
// may be preceded by hop-by-hop options, destination options, routing headers without segments left, and a fragment
// header of a whole packet. [RFC 9293 3.1, RFC 8200 4 and 8.1]
bool fill_tcp_checksum(uint8_t* packet, size_t length);

}  // namespace acsplit

#endif  // ACSPLIT_CHECKSUM_H_
