#include "bpf_map.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace acsplit {
namespace {

// A hash that changes while it is walked may start over; no table of ours has more entries.
constexpr uint64_t kMostEntries = 1 << 26;

int bpf(bpf_cmd command, bpf_attr* attributes) {
  return syscall(SYS_bpf, command, attributes, sizeof *attributes) < 0 ? errno : 0;
}

bpf_attr element(int fd, const void* key, const void* value) {
  bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.map_fd = static_cast<uint32_t>(fd);
  attributes.key = reinterpret_cast<uint64_t>(key);
  attributes.value = reinterpret_cast<uint64_t>(value);
  return attributes;
}

}  // namespace

int map_shape(int fd, MapShape* shape) {
  bpf_map_info info;
  memset(&info, 0, sizeof info);
  bpf_attr attributes;
  memset(&attributes, 0, sizeof attributes);
  attributes.info.bpf_fd = static_cast<uint32_t>(fd);
  attributes.info.info_len = sizeof info;
  attributes.info.info = reinterpret_cast<uint64_t>(&info);
  const int error = bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes);
  if (error != 0) return error;
  // A program has no sizes here, and a map with a value for each CPU more than it says.
  const bool is_single = info.type == BPF_MAP_TYPE_HASH || info.type == BPF_MAP_TYPE_ARRAY ||
                         info.type == BPF_MAP_TYPE_LRU_HASH || info.type == BPF_MAP_TYPE_LPM_TRIE;
  if (!is_single || info.key_size == 0 || info.value_size == 0) return EINVAL;
  *shape = {info.key_size, info.value_size};
  return 0;
}

int update_entry(int fd, const void* key, const void* value, uint64_t flags) {
  bpf_attr attributes = element(fd, key, value);
  attributes.flags = flags;
  return bpf(BPF_MAP_UPDATE_ELEM, &attributes);
}

int delete_entry(int fd, const void* key) {
  bpf_attr attributes = element(fd, key, nullptr);
  return bpf(BPF_MAP_DELETE_ELEM, &attributes);
}

int read_entry(int fd, const void* key, void* value, uint64_t flags) {
  bpf_attr attributes = element(fd, key, value);
  attributes.flags = flags;
  return bpf(BPF_MAP_LOOKUP_ELEM, &attributes);
}

int read_entries(int fd, const MapShape& shape, std::vector<uint8_t>* entries) {
  std::vector<uint8_t> key(shape.key_bytes), next(shape.key_bytes), value(shape.value_bytes);
  const void* from = nullptr;
  for (uint64_t count = 0; count < kMostEntries; count++) {
    bpf_attr attributes = element(fd, from, nullptr);
    attributes.next_key = reinterpret_cast<uint64_t>(next.data());
    int error = bpf(BPF_MAP_GET_NEXT_KEY, &attributes);
    if (error == ENOENT) return 0;
    if (error != 0) return error;
    key = next;
    from = key.data();
    error = read_entry(fd, from, value.data(), 0);
    if (error == ENOENT) continue;  // It went meanwhile.
    if (error != 0) return error;
    entries->insert(entries->end(), key.begin(), key.end());
    entries->insert(entries->end(), value.begin(), value.end());
  }
  return EOVERFLOW;
}

int map_ring(int fd, size_t page, size_t bytes, void** consumer, void** producer) {
  void* const own = mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (own == MAP_FAILED) return errno;
  void* const rest = mmap(nullptr, page + 2 * bytes, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(page));
  if (rest == MAP_FAILED) {
    const int error = errno;
    (void)munmap(own, page);
    return error;
  }
  *consumer = own;
  *producer = rest;
  return 0;
}

}  // namespace acsplit
