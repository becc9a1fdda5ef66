// One datagram to a unix socket, which Node has no way to send. No napi.
#ifndef ACSPLIT_NOTIFY_H_
#define ACSPLIT_NOTIFY_H_

#include <string>

#include "mapping.h"

namespace acsplit {

// `path` begins with '/', or with '@' for a name in the abstract namespace, unix(7). Waits at most a second for buffer
// space.
SystemResult send_datagram(const std::string& path, const std::string& text);

}  // namespace acsplit

#endif  // ACSPLIT_NOTIFY_H_
