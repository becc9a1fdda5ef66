// Loads the fast path's BPF object, with the maps that an earlier engine has pinned. No napi.
#ifndef ACSPLIT_FAST_PATH_LOADER_H_
#define ACSPLIT_FAST_PATH_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace acsplit {

struct Loaded {
  int error;               // errno of the failure, 0: loaded
  std::string log;         // the last words of libbpf or the verifier
  int program;             // descriptor
  uint32_t program_id;
  std::map<std::string, int> maps;  // descriptors by name, close-on-exec
};

// `pins`: a folder of a bpffs whose maps are reused and where new ones are pinned; empty: none. `sizes`: entries by map.
// EINVAL with pins: what is pinned there has another shape.
Loaded load_object(const void* object, size_t bytes, const std::string& pins,
                   const std::map<std::string, uint32_t>& sizes);

// 0 or errno
int pin_descriptor(int fd, const std::string& path);
// The id of a pinned program; 0 when there is none.
uint32_t pinned_program_id(const std::string& path);
// The name of a program by its id; empty when there is none or this process may not ask (CAP_SYS_ADMIN).
std::string program_name(uint32_t id);
// Sums a map's values of 8 bytes over all CPUs, for the keys 0 to count - 1. 0 or errno
int read_counters(int fd, size_t count, std::vector<uint64_t>* sums);

struct Ran {
  int error;
  uint32_t verdict;
  std::vector<uint8_t> frame;
};
// Runs the program once over a frame, as if it had come in on that interface. `frame` is what left.
Ran run_once(int program, const void* frame, size_t bytes, uint32_t ifindex);

// Mounts a bpffs; its source is `name`. 0 or errno
int mount_bpffs(const std::string& directory, const std::string& name);
bool is_bpffs(const std::string& directory);
int unmount_bpffs(const std::string& directory);

}  // namespace acsplit

#endif  // ACSPLIT_FAST_PATH_LOADER_H_
