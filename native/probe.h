// Questions to the network: who has an address, and does a packet of this size reach a host. No napi.
#ifndef ACSPLIT_PROBE_H_
#define ACSPLIT_PROBE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "mapping.h"

namespace acsplit {

struct MacQuestion {
  // Index of the interface. One that is not Ethernet gets no answer.
  int index;
  bool is_ipv6;
  // In network byte order; IPv4 in the first four bytes.
  uint8_t address[16];
};

struct MacAnswer {
  size_t question;
  uint8_t mac[6];
};

// Asks on the wire, by ARP or neighbour discovery, without telling an address of ours, as for duplicate address
// detection, and collects what comes within `wait_ms`: each MAC once a question. RFC 5227, RFC 4862
SystemResult ask_macs(const std::vector<MacQuestion>& questions, uint32_t wait_ms, std::vector<MacAnswer>* answers);

struct EchoQuestion {
  // IPv4 or IPv6, as text.
  std::string address;
  // Of the whole IP packet, which is never fragmented.
  uint32_t bytes;
  // Our address, of the same family; empty: as the route has it.
  std::string from;
};

struct EchoAnswer {
  bool is_answered = false;
  // What a router on the way, or this host, said fits; 0: nobody said.
  uint32_t mtu = 0;
};

// Sends each an ICMP echo request, twice if need be, and collects for at most `wait_ms`. Answers are in the order of
// the questions. RFC 1191, RFC 4443
SystemResult echo(const std::vector<EchoQuestion>& questions, uint32_t wait_ms, std::vector<EchoAnswer>* answers);

}  // namespace acsplit

#endif  // ACSPLIT_PROBE_H_
