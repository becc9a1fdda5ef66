#include "map_functions.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "bpf_map.h"
#include "system_error.h"

namespace acsplit {
namespace {

// Shapes of the descriptors that hold_map has made.
thread_local std::unordered_map<int, MapShape> held;

int shape_of(int fd, MapShape* shape) {
  const auto known = held.find(fd);
  if (known == held.end()) return map_shape(fd, shape);
  *shape = known->second;
  return 0;
}

// Takes a map's descriptor and `values` arrays of its key's and value's sizes; throws and returns false when one is wrong.
bool take_map(const Napi::CallbackInfo& call, const char* name, size_t arrays, int* fd, MapShape* shape,
              uint8_t** taken) {
  const double given = call.Length() > 0 && call[0].IsNumber() ? call[0].As<Napi::Number>().DoubleValue() : -1;
  *fd = given >= 0 && given <= INT32_MAX ? static_cast<int>(given) : -1;
  bool is_right = *fd >= 0 && shape_of(*fd, shape) == 0;
  for (size_t i = 0; i < arrays && is_right; i++) {
    is_right = call.Length() > i + 1 && call[i + 1].IsTypedArray();
    if (!is_right) break;
    Napi::Uint8Array bytes = call[i + 1].As<Napi::Uint8Array>();
    is_right = bytes.TypedArrayType() == napi_uint8_array &&
               bytes.ByteLength() == (i == 0 ? shape->key_bytes : shape->value_bytes);
    if (is_right) taken[i] = bytes.Data();
  }
  if (is_right) return true;
  const std::string words = std::string(name) + ": a map, and Uint8Arrays of its key's and value's sizes are expected";
  Napi::TypeError::New(call.Env(), words).ThrowAsJavaScriptException();
  return false;
}

// BPF_F_LOCK where the fourth argument asks for it
uint64_t flags_of(const Napi::CallbackInfo& call) {
  return call.Length() > 3 && call[3].ToBoolean().Value() ? BPF_F_LOCK : 0;
}

// updateMap(fd, key, value, isLocked)
Napi::Value update_map_from(const Napi::CallbackInfo& call) {
  int fd;
  MapShape shape;
  uint8_t* given[2];
  if (!take_map(call, "updateMap", 2, &fd, &shape, given)) return call.Env().Undefined();
  const int error = update_entry(fd, given[0], given[1], flags_of(call));
  if (error != 0) system_error(call.Env(), error, "bpf").ThrowAsJavaScriptException();
  return call.Env().Undefined();
}

// deleteFromMap(fd, key) -> whether it was there
Napi::Value delete_from_map_from(const Napi::CallbackInfo& call) {
  int fd;
  MapShape shape;
  uint8_t* given[1];
  if (!take_map(call, "deleteFromMap", 1, &fd, &shape, given)) return call.Env().Undefined();
  const int error = delete_entry(fd, given[0]);
  if (error != 0 && error != ENOENT) {
    system_error(call.Env(), error, "bpf").ThrowAsJavaScriptException();
    return call.Env().Undefined();
  }
  return Napi::Boolean::New(call.Env(), error == 0);
}

// readMap(fd, key, value, isLocked): fills `value`; whether there is such an entry.
Napi::Value read_map_from(const Napi::CallbackInfo& call) {
  int fd;
  MapShape shape;
  uint8_t* given[2];
  if (!take_map(call, "readMap", 2, &fd, &shape, given)) return call.Env().Undefined();
  const int error = read_entry(fd, given[0], given[1], flags_of(call));
  if (error != 0 && error != ENOENT) {
    system_error(call.Env(), error, "bpf").ThrowAsJavaScriptException();
    return call.Env().Undefined();
  }
  return Napi::Boolean::New(call.Env(), error == 0);
}

// holdMap(fd) -> a descriptor of our own, for as long as the process lives. Its map need not be asked for its shape at
// each call, which would be a second system call.
Napi::Value hold_map_from(const Napi::CallbackInfo& call) {
  int fd;
  MapShape shape;
  if (!take_map(call, "holdMap", 0, &fd, &shape, nullptr)) return call.Env().Undefined();
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) {
    system_error(call.Env(), errno, "fcntl").ThrowAsJavaScriptException();
    return call.Env().Undefined();
  }
  held[own] = shape;
  return Napi::Number::New(call.Env(), own);
}

// readMapEntries(fd) -> Uint8Array: keys and values of all entries, one after the other
Napi::Value read_map_entries_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  int fd;
  MapShape shape;
  if (!take_map(call, "readMapEntries", 0, &fd, &shape, nullptr)) return env.Undefined();
  std::vector<uint8_t> entries;
  const int error = read_entries(fd, shape, &entries);
  if (error != 0) {
    system_error(env, error, "bpf").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Uint8Array result = Napi::Uint8Array::New(env, entries.size());
  if (!entries.empty()) memcpy(result.Data(), entries.data(), entries.size());
  return result;
}

// mapRing(fd, bytes) -> { consumer, producer }: ArrayBuffers, unmapped when they are collected
Napi::Value map_ring_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  if (call.Length() < 2 || !call[0].IsNumber() || !call[1].IsNumber()) {
    Napi::TypeError::New(env, "mapRing: a descriptor and a size are expected").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t rest = page + 2 * static_cast<size_t>(call[1].As<Napi::Number>().Int64Value());
  void* consumer = nullptr;
  void* producer = nullptr;
  const int error = map_ring(call[0].As<Napi::Number>().Int32Value(), page, (rest - page) / 2, &consumer, &producer);
  if (error != 0) {
    system_error(env, error, "mmap").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("consumer",
             Napi::ArrayBuffer::New(env, consumer, page, [page](Napi::Env, void* at) { (void)munmap(at, page); }));
  result.Set("producer",
             Napi::ArrayBuffer::New(env, producer, rest, [rest](Napi::Env, void* at) { (void)munmap(at, rest); }));
  return result;
}

}  // namespace

void define_map_functions(Napi::Env env, Napi::Object exports) {
  exports.Set("holdMap", Napi::Function::New(env, hold_map_from, "holdMap"));
  exports.Set("updateMap", Napi::Function::New(env, update_map_from, "updateMap"));
  exports.Set("deleteFromMap", Napi::Function::New(env, delete_from_map_from, "deleteFromMap"));
  exports.Set("readMap", Napi::Function::New(env, read_map_from, "readMap"));
  exports.Set("mapRing", Napi::Function::New(env, map_ring_from, "mapRing"));
  exports.Set("readMapEntries", Napi::Function::New(env, read_map_entries_from, "readMapEntries"));
}

}  // namespace acsplit
