#include "loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace acsplit {
namespace {

constexpr size_t kMostLog = 4096;
// Room for what the program may add to a frame in a test run: nothing.
constexpr size_t kMostFrame = 4096;

// libbpf speaks through a function without a context; JavaScript calls from one thread only.
std::string* listener = nullptr;

int hear(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG || listener == nullptr) return 0;
  char line[1024];
  vsnprintf(line, sizeof line, format, arguments);
  *listener += line;
  if (listener->size() > kMostLog) listener->erase(0, listener->size() - kMostLog);
  return 0;
}

int fail(int error) { return error < 0 ? -error : error; }

// Returns 0 or errno.
int prepare(bpf_object* object, const std::string& pins, const std::map<std::string, uint32_t>& sizes) {
  bpf_map* map;
  bpf_object__for_each_map(map, object) {
    const std::string name = bpf_map__name(map);
    const auto size = sizes.find(name);
    if (size != sizes.end()) {
      const int error = bpf_map__set_max_entries(map, size->second);
      if (error != 0) return fail(error);
    }
    if (pins.empty()) continue;
    const int error = bpf_map__set_pin_path(map, (pins + "/" + name).c_str());
    if (error != 0) return fail(error);
  }
  return 0;
}

int keep(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 3); }

void take_descriptors(bpf_object* object, Loaded* loaded) {
  bpf_program* program = bpf_object__next_program(object, nullptr);
  loaded->program = keep(bpf_program__fd(program));
  bpf_prog_info info;
  memset(&info, 0, sizeof info);
  uint32_t length = sizeof info;
  if (bpf_obj_get_info_by_fd(loaded->program, &info, &length) == 0) loaded->program_id = info.id;
  bpf_map* map;
  bpf_object__for_each_map(map, object) loaded->maps[bpf_map__name(map)] = keep(bpf_map__fd(map));
}

}  // namespace

Loaded load_object(const void* bytes, size_t length, const std::string& pins,
                   const std::map<std::string, uint32_t>& sizes) {
  Loaded loaded = {0, "", -1, 0, {}};
  listener = &loaded.log;
  libbpf_set_print(hear);
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "acsplit");
  bpf_object* object = bpf_object__open_mem(bytes, length, &options);
  if (object == nullptr) {
    loaded.error = errno;
  } else {
    loaded.error = prepare(object, pins, sizes);
    if (loaded.error == 0) loaded.error = fail(bpf_object__load(object));
    if (loaded.error == 0) take_descriptors(object, &loaded);
    bpf_object__close(object);
  }
  listener = nullptr;
  return loaded;
}

int pin_descriptor(int fd, const std::string& path) { return fail(bpf_obj_pin(fd, path.c_str())); }

uint32_t pinned_program_id(const std::string& path) {
  const int fd = bpf_obj_get(path.c_str());
  if (fd < 0) return 0;
  bpf_prog_info info;
  memset(&info, 0, sizeof info);
  uint32_t length = sizeof info;
  const int error = bpf_obj_get_info_by_fd(fd, &info, &length);
  close(fd);
  return error == 0 ? info.id : 0;
}

std::string program_name(uint32_t id) {
  const int fd = bpf_prog_get_fd_by_id(id);
  if (fd < 0) return "";
  bpf_prog_info info;
  memset(&info, 0, sizeof info);
  uint32_t length = sizeof info;
  const int error = bpf_obj_get_info_by_fd(fd, &info, &length);
  close(fd);
  return error == 0 ? std::string(info.name, strnlen(info.name, sizeof info.name)) : "";
}

int read_counters(int fd, size_t count, std::vector<uint64_t>* sums) {
  const int cpus = libbpf_num_possible_cpus();
  if (cpus < 0) return fail(cpus);
  std::vector<uint64_t> values(static_cast<size_t>(cpus));
  sums->assign(count, 0);
  for (uint32_t key = 0; key < count; key++) {
    const int error = bpf_map_lookup_elem(fd, &key, values.data());
    if (error != 0) return fail(error);
    for (const uint64_t value : values) (*sums)[key] += value;
  }
  return 0;
}

Ran run_once(int program, const void* frame, size_t bytes, uint32_t ifindex) {
  Ran ran = {0, 0, std::vector<uint8_t>(kMostFrame)};
  __sk_buff context;
  memset(&context, 0, sizeof context);
  context.ingress_ifindex = ifindex;
  context.ifindex = ifindex;
  LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_out = ran.frame.data(),
              .data_size_in = static_cast<uint32_t>(bytes), .data_size_out = static_cast<uint32_t>(kMostFrame),
              .ctx_in = &context, .ctx_size_in = sizeof context, .repeat = 1);
  ran.error = fail(bpf_prog_test_run_opts(program, &options));
  ran.verdict = options.retval;
  ran.frame.resize(ran.error == 0 ? options.data_size_out : 0);
  return ran;
}

int mount_bpffs(const std::string& directory, const std::string& name) {
  return mount(name.c_str(), directory.c_str(), "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700") == 0 ? 0 : errno;
}

bool is_bpffs(const std::string& directory) {
  struct statfs status;
  return statfs(directory.c_str(), &status) == 0 && status.f_type == BPF_FS_MAGIC;
}

int unmount_bpffs(const std::string& directory) { return umount2(directory.c_str(), MNT_DETACH) == 0 ? 0 : errno; }

}  // namespace acsplit
