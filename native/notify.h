// Unix sockets, as far as Node does not reach: a datagram, and who is at the other end. No napi.
#ifndef ACSPLIT_NOTIFY_H_
#define ACSPLIT_NOTIFY_H_

#include <string>

#include "mapping.h"

namespace acsplit {

// `path` begins with '/', or with '@' for a name in the abstract namespace, unix(7). Waits at most a second for buffer
// space.
SystemResult send_datagram(const std::string& path, const std::string& text);

// Who connected to, or created, the other end of a connected unix socket, at that time. unix(7), SO_PEERCRED
struct Peer {
  int pid;
  unsigned uid;
};
SystemResult peer_of(int fd, Peer* peer);

}  // namespace acsplit

#endif  // ACSPLIT_NOTIFY_H_
