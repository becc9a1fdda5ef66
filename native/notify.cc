#include "notify.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace acsplit {

SystemResult send_datagram(const std::string& path, const std::string& text) {
  sockaddr_un to = {};
  to.sun_family = AF_UNIX;
  if (path.size() < 2 || (path[0] != '/' && path[0] != '@')) return {EAFNOSUPPORT, "sendto"};
  if (path.size() >= sizeof to.sun_path) return {ENAMETOOLONG, "sendto"};
  memcpy(to.sun_path, path.data(), path.size());
  if (path[0] == '@') to.sun_path[0] = '\0';
  // The address length gives the length of a name in the abstract namespace; there is no terminating zero.
  const socklen_t bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());

  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return {errno, "socket"};
  const timeval patience = {1, 0};
  (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  ssize_t sent;
  do {
    sent = sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&to), bytes);
  } while (sent < 0 && errno == EINTR);
  const int error = sent < 0 ? errno : 0;
  close(fd);
  return {error, "sendto"};
}

SystemResult peer_of(int fd, Peer* peer) {
  ucred found = {};
  socklen_t bytes = sizeof found;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &found, &bytes) != 0) return {errno, "getsockopt"};
  // Of a socket that is not a unix socket, or not connected. pid 0 alone is a process outside our pid namespace.
  if (bytes != sizeof found || (found.pid == 0 && found.uid == static_cast<uid_t>(-1))) return {ENOTCONN, "getsockopt"};
  *peer = {found.pid, found.uid};
  return {0, "getsockopt"};
}

}  // namespace acsplit
