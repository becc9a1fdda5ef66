#include "mapping.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace acsplit {

SystemResult reserve_file(int fd, uint64_t bytes) {
  if (ftruncate(fd, static_cast<off_t>(bytes)) != 0) return {errno, "ftruncate"};
  // posix_fallocate writes zeros when the file system lacks the call; it returns an errno.
  int error;
  do {
    error = posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  } while (error == EINTR);
  return {error, "fallocate"};
}

SystemResult create_memory(const char* name, uint64_t bytes, int* fd) {
  const int made = memfd_create(name, MFD_CLOEXEC);
  if (made < 0) return {errno, "memfd_create"};
  const SystemResult reserved = reserve_file(made, bytes);
  if (reserved.error != 0) close(made);
  else *fd = made;
  return reserved;
}

SystemResult map_file(int fd, uint64_t offset, size_t bytes, void** at) {
  struct stat found;
  if (fstat(fd, &found) != 0) return {errno, "fstat"};
  if (static_cast<uint64_t>(found.st_size) < offset + bytes) return {EOVERFLOW, "mmap"};
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset));
  if (mapped == MAP_FAILED) return {errno, "mmap"};
  *at = mapped;
  return {0, nullptr};
}

void unmap(void* at, size_t bytes) { (void)munmap(at, bytes); }

bool die_with_parent(pid_t parent) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the line above.
  return getppid() == parent;
}

bool is_readable(int fd) {
  pollfd wanted = {fd, POLLIN, 0};
  return poll(&wanted, 1, 0) == 1 && (wanted.revents & POLLIN) != 0;
}

}  // namespace acsplit
