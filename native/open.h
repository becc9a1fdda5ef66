// Opens a queue socket and binds queues to it. No napi.
#ifndef ACSPLIT_OPEN_H_
#define ACSPLIT_OPEN_H_

#include <cstdint>

namespace acsplit {

struct OpenOptions {
  uint16_t first;                 // number of the first queue
  uint16_t count;                 // how many, from `first` on
  uint32_t length;                // packets that one queue holds before the kernel drops
  bool gso;                       // accept super-packets without segmenting them
  uint32_t receive_buffer_bytes;  // kernel memory for unread packets, as the kernel counts it
  uint32_t send_buffer_bytes;     // limits one sendmsg of verdicts
};

struct Opened {
  int fd;                         // -1: failed
  uint32_t receive_buffer_bytes;  // what the kernel granted
  int error;                      // errno of the failure
  const char* syscall;            // static text
  int queue;                      // the queue that failed, -1: none in particular
};

// One netlink socket, non-blocking and close-on-exec, with the queues bound, ready for packets; or nothing at all.
Opened open_queues(const OpenOptions& options);

// The same in a network namespace that ends with the trial; closes what it opened, so `fd` is -1 on success, too.
Opened try_queues(const OpenOptions& options);

// Waits for the kernel's answer to a configuration message. It is on the socket when send returns, behind packets of
// queues bound before. Those are dropped, and a flood of them does not prolong the wait. Returns 0 or errno.
int await_acknowledgement(int fd, int64_t within_ms);

// Closes a descriptor if it is a netfilter netlink socket and leaves any other alone: a second close must not hit the
// next user of the number. True when something was closed.
bool close_queues(int fd);

// Whether the descriptor is a netfilter netlink socket.
bool is_queue_socket(int fd);

}  // namespace acsplit

#endif  // ACSPLIT_OPEN_H_
