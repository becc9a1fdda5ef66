// Memory that outlives a process and is shared with others: mapped files and memfds. No napi.
#ifndef ACSPLIT_MAPPING_H_
#define ACSPLIT_MAPPING_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace acsplit {

struct SystemResult {
  int error;            // 0 or errno
  const char* syscall;  // static text
};

// Extends a file to `bytes` with every block allocated, so that no later write to a mapping can find the disk full
// (which would be a SIGBUS). Existing content stays.
SystemResult reserve_file(int fd, uint64_t bytes);

// Anonymous memory with a descriptor, reserved; close-on-exec. `fd` is set on success.
SystemResult create_memory(const char* name, uint64_t bytes, int* fd);

// Maps [offset, offset + bytes) of a file, shared and writable. EOVERFLOW when the file is shorter, because access
// beyond its end is a SIGBUS. `at` is set on success.
SystemResult map_file(int fd, uint64_t offset, size_t bytes, void** at);

void unmap(void* at, size_t bytes);

// Makes the kernel kill this process when its parent dies. False when the parent is not (or no longer) `parent`.
bool die_with_parent(pid_t parent);

// Whether the descriptor has something to read.
bool is_readable(int fd);

}  // namespace acsplit

#endif  // ACSPLIT_MAPPING_H_
