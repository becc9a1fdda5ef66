// One message to an ipset: everything is in it, for so many seconds. No napi.
#ifndef ACSPLIT_IPSET_H_
#define ACSPLIT_IPSET_H_

#include <cstdint>

#include "mapping.h"

namespace acsplit {

// Puts the two halves of a family's addresses into a set of type hash:net, each for `seconds` from now: until then every
// address is in it. Entries that are there already live on. ENOENT: there is no such set; EPROTO: it is of another kind.
// linux/netfilter/ipset/ip_set.h
SystemResult fill_set(const char* name, bool is_ipv6, uint32_t seconds);

}  // namespace acsplit

#endif  // ACSPLIT_IPSET_H_
