// Fills an ipset: every address is in it for so many seconds. No napi.
#ifndef ACSPLIT_IPSET_H_
#define ACSPLIT_IPSET_H_

#include <cstdint>

#include "mapping.h"

namespace acsplit {

// The socket that fill_set speaks through, close-on-exec. It is kept open: an engine without a free descriptor must still
// be able to say that it lives.
SystemResult open_set_socket(int* fd);

// Puts the two halves of a family's addresses into a set of type hash:net, each for `seconds` from now: until then every
// address is in it. Entries that are already there live on. ENOENT: there is no such set; EPROTO: it has another type.
// linux/netfilter/ipset/ip_set.h
SystemResult fill_set(int fd, const char* name, bool is_ipv6, uint32_t seconds);

}  // namespace acsplit

#endif  // ACSPLIT_IPSET_H_
