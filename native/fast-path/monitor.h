// Tells whether links, routes or rules have changed. No napi.
#ifndef ACSPLIT_FAST_PATH_MONITOR_H_
#define ACSPLIT_FAST_PATH_MONITOR_H_

namespace acsplit {

// A netlink socket that hears of changes in this network namespace. 0 or errno
int open_monitor(int* fd);
// Empties it. `changed`: something was told, or so much that it was lost. 0 or errno
int drain_monitor(int fd, bool* changed);

}  // namespace acsplit

#endif  // ACSPLIT_FAST_PATH_MONITOR_H_
