// The JavaScript interface of fast_path.node, an addon of its own because it alone needs libbpf: load, pin, filters,
// counters, test runs, the bpffs; links and their changes; and map_functions.h. Argument checks only.
#include <napi.h>

#include <cstring>
#include <string>

#include "../map_functions.h"
#include "../system_error.h"
#include "filter.h"
#include "loader.h"
#include "monitor.h"

namespace acsplit {
namespace {

// Throws a system error. `log`: what libbpf or the verifier said.
void throw_error(Napi::Env env, int error, const char* syscall, const std::string& log = "") {
  Napi::Error thrown = system_error(env, error, syscall);
  if (!log.empty()) thrown.Set("log", Napi::String::New(env, log));
  thrown.ThrowAsJavaScriptException();
}

// Whether the arguments have these kinds: n a whole number, s a string, u a Uint8Array, o an object, b a boolean. Throws
// when not.
bool takes(const Napi::CallbackInfo& call, const char* name, const char* kinds) {
  for (size_t i = 0; kinds[i] != '\0'; i++) {
    Napi::Value value = i < call.Length() ? call[i] : call.Env().Undefined();
    bool is_right = false;
    switch (kinds[i]) {
      case 'n':
        is_right = value.IsNumber() && value.As<Napi::Number>().DoubleValue() >= 0 &&
                   value.As<Napi::Number>().DoubleValue() <= 4294967295.0;
        break;
      case 's':
        is_right = value.IsString();
        break;
      case 'u':
        is_right = value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == napi_uint8_array;
        break;
      case 'o':
        is_right = value.IsObject();
        break;
      case 'b':
        is_right = value.IsBoolean();
        break;
    }
    if (is_right) continue;
    const std::string words = std::string(name) + ": wrong argument " + std::to_string(i + 1);
    Napi::TypeError::New(call.Env(), words).ThrowAsJavaScriptException();
    return false;
  }
  return true;
}

uint32_t number_at(const Napi::CallbackInfo& call, size_t i) { return call[i].As<Napi::Number>().Uint32Value(); }
std::string text_at(const Napi::CallbackInfo& call, size_t i) { return call[i].As<Napi::String>().Utf8Value(); }
Place place_of(const Napi::CallbackInfo& call) {
  return {static_cast<int>(number_at(call, 0)), number_at(call, 1), number_at(call, 2)};
}

// load(object, pins, sizes) -> { program, programId, maps: { name: fd } }
Napi::Value load_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  if (!takes(call, "load", "uso")) return env.Undefined();
  Napi::Uint8Array object = call[0].As<Napi::Uint8Array>();
  Napi::Object given = call[2].As<Napi::Object>();
  std::map<std::string, uint32_t> sizes;
  const Napi::Array names = given.GetPropertyNames();
  for (uint32_t i = 0; i < names.Length(); i++) {
    const std::string name = names.Get(i).As<Napi::String>().Utf8Value();
    sizes[name] = given.Get(name).As<Napi::Number>().Uint32Value();
  }
  const Loaded loaded = load_object(object.Data(), object.ByteLength(), text_at(call, 1), sizes);
  if (loaded.error != 0) {
    throw_error(env, loaded.error, "bpf", loaded.log);
    return env.Undefined();
  }
  Napi::Object maps = Napi::Object::New(env);
  for (const auto& [name, fd] : loaded.maps) maps.Set(name, Napi::Number::New(env, fd));
  Napi::Object result = Napi::Object::New(env);
  result.Set("program", Napi::Number::New(env, loaded.program));
  result.Set("programId", Napi::Number::New(env, loaded.program_id));
  result.Set("maps", maps);
  return result;
}

// pin(fd, path)
Napi::Value pin_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "pin", "ns")) return call.Env().Undefined();
  const int error = pin_descriptor(static_cast<int>(number_at(call, 0)), text_at(call, 1));
  if (error != 0) throw_error(call.Env(), error, "bpf");
  return call.Env().Undefined();
}

// pinnedProgramId(path) -> number, 0: none
Napi::Value pinned_program_id_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "pinnedProgramId", "s")) return call.Env().Undefined();
  return Napi::Number::New(call.Env(), pinned_program_id(text_at(call, 0)));
}

// programName(id) -> string, empty: not to be known
Napi::Value program_name_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "programName", "n")) return call.Env().Undefined();
  return Napi::String::New(call.Env(), program_name(number_at(call, 0)));
}

// readCounters(fd, count) -> number[]
Napi::Value read_counters_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  if (!takes(call, "readCounters", "nn")) return env.Undefined();
  std::vector<uint64_t> sums;
  const int error = read_counters(static_cast<int>(number_at(call, 0)), number_at(call, 1), &sums);
  if (error != 0) {
    throw_error(env, error, "bpf");
    return env.Undefined();
  }
  Napi::Array result = Napi::Array::New(env, sums.size());
  for (uint32_t i = 0; i < sums.size(); i++) result.Set(i, Napi::Number::New(env, static_cast<double>(sums[i])));
  return result;
}

// runOnce(program, frame, ifindex) -> { verdict, frame }
Napi::Value run_once_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  if (!takes(call, "runOnce", "nun")) return env.Undefined();
  Napi::Uint8Array frame = call[1].As<Napi::Uint8Array>();
  const Ran ran =
      run_once(static_cast<int>(number_at(call, 0)), frame.Data(), frame.ByteLength(), number_at(call, 2));
  if (ran.error != 0) {
    throw_error(env, ran.error, "bpf");
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("verdict", Napi::Number::New(env, static_cast<int32_t>(ran.verdict)));
  Napi::Uint8Array left = Napi::Uint8Array::New(env, ran.frame.size());
  memcpy(left.Data(), ran.frame.data(), ran.frame.size());
  result.Set("frame", left);
  return result;
}

// makeClsact(ifindex) -> whether it is new
Napi::Value make_clsact_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "makeClsact", "n")) return call.Env().Undefined();
  bool is_new = false;
  const int error = make_clsact(static_cast<int>(number_at(call, 0)), &is_new);
  if (error != 0) throw_error(call.Env(), error, "clsact");
  return Napi::Boolean::New(call.Env(), is_new);
}

// removeClsact(ifindex)
Napi::Value remove_clsact_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "removeClsact", "n")) return call.Env().Undefined();
  const int error = remove_clsact(static_cast<int>(number_at(call, 0)));
  if (error != 0) throw_error(call.Env(), error, "clsact");
  return call.Env().Undefined();
}

// countFilters(ifindex) -> number
Napi::Value count_filters_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "countFilters", "n")) return call.Env().Undefined();
  size_t count = 0;
  const int error = count_filters(static_cast<int>(number_at(call, 0)), &count);
  if (error != 0) throw_error(call.Env(), error, "filter");
  return Napi::Number::New(call.Env(), static_cast<double>(count));
}

// queryFilter(ifindex, handle, priority) -> id of its program, 0: no filter there
Napi::Value query_filter_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "queryFilter", "nnn")) return call.Env().Undefined();
  uint32_t id = 0;
  const int error = query_filter(place_of(call), &id);
  if (error != 0) throw_error(call.Env(), error, "filter");
  return Napi::Number::New(call.Env(), id);
}

// attachFilter(ifindex, handle, priority, program, replaces)
Napi::Value attach_filter_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "attachFilter", "nnnnb")) return call.Env().Undefined();
  const int program = static_cast<int>(number_at(call, 3));
  const int error = attach_filter(place_of(call), program, call[4].As<Napi::Boolean>().Value());
  if (error != 0) throw_error(call.Env(), error, "filter");
  return call.Env().Undefined();
}

// detachFilter(ifindex, handle, priority)
Napi::Value detach_filter_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "detachFilter", "nnn")) return call.Env().Undefined();
  const int error = detach_filter(place_of(call));
  if (error != 0) throw_error(call.Env(), error, "filter");
  return call.Env().Undefined();
}

// mountBpffs(directory, name), unmountBpffs(directory), isBpffs(directory) -> boolean
Napi::Value mount_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "mountBpffs", "ss")) return call.Env().Undefined();
  const int error = mount_bpffs(text_at(call, 0), text_at(call, 1));
  if (error != 0) throw_error(call.Env(), error, "mount");
  return call.Env().Undefined();
}
Napi::Value unmount_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "unmountBpffs", "s")) return call.Env().Undefined();
  const int error = unmount_bpffs(text_at(call, 0));
  if (error != 0) throw_error(call.Env(), error, "umount");
  return call.Env().Undefined();
}
Napi::Value is_bpffs_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "isBpffs", "s")) return call.Env().Undefined();
  return Napi::Boolean::New(call.Env(), is_bpffs(text_at(call, 0)));
}

// links() -> { name, index, isEthernet }[]: the interfaces of this network namespace
Napi::Value links_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  std::vector<Link> links;
  const int error = list_links(&links);
  if (error != 0) {
    throw_error(env, error, "if_nameindex");
    return env.Undefined();
  }
  Napi::Array result = Napi::Array::New(env, links.size());
  for (uint32_t i = 0; i < links.size(); i++) {
    Napi::Object link = Napi::Object::New(env);
    link.Set("name", Napi::String::New(env, links[i].name));
    link.Set("index", Napi::Number::New(env, links[i].index));
    link.Set("isEthernet", Napi::Boolean::New(env, links[i].is_ethernet));
    result.Set(i, link);
  }
  return result;
}

// openMonitor() -> descriptor
Napi::Value open_monitor_from(const Napi::CallbackInfo& call) {
  int fd = -1;
  const int error = open_monitor(&fd);
  if (error != 0) throw_error(call.Env(), error, "netlink");
  return Napi::Number::New(call.Env(), fd);
}

// drainMonitor(fd) -> whether something has changed
Napi::Value drain_monitor_from(const Napi::CallbackInfo& call) {
  if (!takes(call, "drainMonitor", "n")) return call.Env().Undefined();
  bool changed = false;
  const int error = drain_monitor(static_cast<int>(number_at(call, 0)), &changed);
  if (error != 0) throw_error(call.Env(), error, "recv");
  return Napi::Boolean::New(call.Env(), changed);
}

Napi::Object define_exports(Napi::Env env, Napi::Object exports) {
  exports.Set("load", Napi::Function::New(env, load_from, "load"));
  exports.Set("pin", Napi::Function::New(env, pin_from, "pin"));
  exports.Set("pinnedProgramId", Napi::Function::New(env, pinned_program_id_from, "pinnedProgramId"));
  exports.Set("programName", Napi::Function::New(env, program_name_from, "programName"));
  exports.Set("readCounters", Napi::Function::New(env, read_counters_from, "readCounters"));
  exports.Set("runOnce", Napi::Function::New(env, run_once_from, "runOnce"));
  exports.Set("makeClsact", Napi::Function::New(env, make_clsact_from, "makeClsact"));
  exports.Set("removeClsact", Napi::Function::New(env, remove_clsact_from, "removeClsact"));
  exports.Set("countFilters", Napi::Function::New(env, count_filters_from, "countFilters"));
  exports.Set("queryFilter", Napi::Function::New(env, query_filter_from, "queryFilter"));
  exports.Set("attachFilter", Napi::Function::New(env, attach_filter_from, "attachFilter"));
  exports.Set("detachFilter", Napi::Function::New(env, detach_filter_from, "detachFilter"));
  exports.Set("mountBpffs", Napi::Function::New(env, mount_from, "mountBpffs"));
  exports.Set("unmountBpffs", Napi::Function::New(env, unmount_from, "unmountBpffs"));
  exports.Set("isBpffs", Napi::Function::New(env, is_bpffs_from, "isBpffs"));
  exports.Set("links", Napi::Function::New(env, links_from, "links"));
  exports.Set("openMonitor", Napi::Function::New(env, open_monitor_from, "openMonitor"));
  exports.Set("drainMonitor", Napi::Function::New(env, drain_monitor_from, "drainMonitor"));
  define_map_functions(env, exports);
  return exports;
}

}  // namespace
}  // namespace acsplit

static Napi::Object init(Napi::Env env, Napi::Object exports) { return acsplit::define_exports(env, exports); }

NODE_API_MODULE(fast_path, init)
