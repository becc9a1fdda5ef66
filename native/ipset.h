// Fills an ipset: puts every address into it for some seconds. No napi.
#ifndef ACSPLIT_IPSET_H_
#define ACSPLIT_IPSET_H_

#include <cstdint>

#include "mapping.h"

namespace acsplit {

// The socket that fill_set uses, close-on-exec. Keep it open: an engine that has run out of descriptors must still be
// able to refresh its set.
SystemResult open_set_socket(int* fd);

// Puts the two halves of a family's addresses into a set of type hash:net, each for `seconds` from now, so that every
// address is in it. Existing entries get the new timeout. ENOENT: there is no such set; EPROTO: it has another type.
// linux/netfilter/ipset/ip_set.h
SystemResult fill_set(int fd, const char* name, bool is_ipv6, uint32_t seconds);

}  // namespace acsplit

#endif  // ACSPLIT_IPSET_H_
