#include "monitor.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <initializer_list>

namespace acsplit {

int open_monitor(int* fd) {
  *fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (*fd < 0) return errno;
  const sockaddr_nl here = {AF_NETLINK, 0, 0, 0};
  int failed = bind(*fd, reinterpret_cast<const sockaddr*>(&here), sizeof here);
  for (const int group :
       {RTNLGRP_LINK, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}) {
    if (failed == 0) failed = setsockopt(*fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
  }
  if (failed == 0) return 0;
  const int error = errno;
  close(*fd);
  return error;
}

int drain_monitor(int fd, bool* changed) {
  *changed = false;
  for (;;) {
    char first;
    if (recv(fd, &first, sizeof first, MSG_TRUNC) >= 0) {
      *changed = true;
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno == ENOBUFS) *changed = true;
    else if (errno != EINTR) return errno;
  }
}

}  // namespace acsplit
