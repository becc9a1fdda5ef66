// The addon's JavaScript interface: layout, openQueues, tryQueues, close, boottimeMs, VerdictLoop, and for memory and processes:
// reserveFile, createMemory, mapFile, dieWithParent, isReadable, sendDatagram, peerOf, openSetSocket, fillSet;
// map_functions.h and probe_functions.h.
// Argument checks only.
#include <napi.h>

#include <cmath>

#include "batch.h"
#include "ipset.h"
#include "map_functions.h"
#include "mapping.h"
#include "notify.h"
#include "open.h"
#include "probe_functions.h"
#include "system_error.h"
#include "verdict_loop.h"

namespace acsplit {
namespace {

// Room for a whole batch of super-packets in one sendmsg, if the system allows it.
constexpr uint32_t kSendBufferBytes = 16 * 1024 * 1024;
constexpr uint32_t kMaxQueues = 16;
constexpr uint32_t kMostSetSeconds = 3600;

// Reads a whole number from an options object; throws and returns false when it is not one or out of range.
bool read_number(Napi::Object options, const char* name, double least, double most, uint32_t* result) {
  Napi::Env env = options.Env();
  Napi::Value value = options.Get(name);
  if (env.IsExceptionPending()) return false;
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= least && number <= most) || number != static_cast<uint32_t>(number)) {
    const std::string words = std::string("openQueues: ") + name + " must be a whole number from " +
                              std::to_string(static_cast<uint32_t>(least)) + " to " +
                              std::to_string(static_cast<uint32_t>(most));
    Napi::TypeError::New(env, words).ThrowAsJavaScriptException();
    return false;
  }
  *result = static_cast<uint32_t>(number);
  return true;
}

// openQueues({ first, count, length, gso, receiveBufferBytes }) -> { fd, receiveBufferBytes }; tryQueues takes the same,
// and its fd is -1. Throws a system error, with `queue` when one particular queue was refused.
Napi::Value open_queues_with(const Napi::CallbackInfo& call, Opened (*open)(const OpenOptions&)) {
  Napi::Env env = call.Env();
  if (call.Length() < 1 || !call[0].IsObject()) {
    Napi::TypeError::New(env, "openQueues: an options object is expected").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Object given = call[0].As<Napi::Object>();
  uint32_t first, count, length, receive_buffer_bytes;
  if (!read_number(given, "first", 0, 65535, &first)) return env.Undefined();
  if (!read_number(given, "count", 1, kMaxQueues, &count)) return env.Undefined();
  if (!read_number(given, "length", 1, 16777216, &length)) return env.Undefined();
  if (!read_number(given, "receiveBufferBytes", 1, 2147483646, &receive_buffer_bytes)) return env.Undefined();
  Napi::Value gso = given.Get("gso");
  if (env.IsExceptionPending()) return env.Undefined();
  if (!gso.IsBoolean() || first + count > 65536) {
    const char* words = gso.IsBoolean() ? "queue numbers end at 65535" : "gso must be a boolean";
    Napi::TypeError::New(env, std::string("openQueues: ") + words).ThrowAsJavaScriptException();
    return env.Undefined();
  }

  const OpenOptions options = {static_cast<uint16_t>(first), static_cast<uint16_t>(count), length,
                               gso.As<Napi::Boolean>().Value(), receive_buffer_bytes, kSendBufferBytes};
  const Opened opened = open(options);
  if (opened.error != 0) {
    Napi::Error error = system_error(env, opened.error, opened.syscall);
    if (opened.queue >= 0) error.Set("queue", Napi::Number::New(env, opened.queue));
    error.ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Napi::Object result = Napi::Object::New(env);
  result.Set("fd", Napi::Number::New(env, opened.fd));
  result.Set("receiveBufferBytes", Napi::Number::New(env, opened.receive_buffer_bytes));
  return result;
}

Napi::Value open_queues_from(const Napi::CallbackInfo& call) { return open_queues_with(call, open_queues); }

Napi::Value try_queues_from(const Napi::CallbackInfo& call) { return open_queues_with(call, try_queues); }

// close(fd): unbinds the queues and drops what they held. May be called twice.
Napi::Value close_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  if (call.Length() < 1 || !call[0].IsNumber()) {
    Napi::TypeError::New(env, "close: a descriptor is expected").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  close_queues(call[0].As<Napi::Number>().Int32Value());
  return env.Undefined();
}

Napi::Value boottime_from(const Napi::CallbackInfo& call) { return Napi::Number::New(call.Env(), boottime_ms()); }

// layout(capacity): batch.h as numbers, for the test that compares it with src/packet/batch.ts. In bytes, except
// `header`, which is in 32-bit words.
Napi::Value layout_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  const double given = call.Length() > 0 && call[0].IsNumber() ? call[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(given >= 1 && given <= kMaxCapacity)) {
    Napi::TypeError::New(env, "layout: a capacity from 1 to 1024 is expected").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const size_t capacity = static_cast<size_t>(given);
  Napi::Object columns = Napi::Object::New(env);
  for (size_t column = 0; column < kColumns; column++) {
    columns.Set(kColumnNames[column], Napi::Number::New(env, static_cast<double>(column_offset(column, capacity))));
  }
  Napi::Object journal = Napi::Object::New(env);
  journal.Set("bytes", Napi::Number::New(env, static_cast<double>(journal_bytes(capacity))));
  journal.Set("phase", Napi::Number::New(env, offsetof(Journal, phase)));
  journal.Set("attempts", Napi::Number::New(env, offsetof(Journal, attempts)));
  Napi::Array counters = Napi::Array::New(env, kCounters);
  for (size_t i = 0; i < kCounters; i++) counters.Set(static_cast<uint32_t>(i), kCounterNames[i]);
  journal.Set("counters", Napi::Number::New(env, offsetof(Journal, counters)));
  journal.Set("counterNames", counters);
  Napi::Object result = Napi::Object::New(env);
  result.Set("journal", journal);
  result.Set("header", Napi::Number::New(env, kHeaderWords));
  result.Set("slotBytes", Napi::Number::New(env, kSlotBytes));
  result.Set("slots", Napi::Number::New(env, static_cast<double>(slots_offset(capacity))));
  result.Set("regionBytes", Napi::Number::New(env, static_cast<double>(region_bytes(capacity))));
  result.Set("columns", columns);
  return result;
}

// Reads the arguments as whole numbers (bytes or descriptors); throws and returns false when one is not.
bool take_numbers(const Napi::CallbackInfo& call, const char* name, size_t count, double* numbers) {
  for (size_t i = 0; i < count; i++) {
    numbers[i] = i < call.Length() && call[i].IsNumber() ? call[i].As<Napi::Number>().DoubleValue() : -1;
    if (numbers[i] >= 0 && numbers[i] <= 9007199254740991.0 && numbers[i] == std::floor(numbers[i])) continue;
    const std::string words = std::string(name) + ": whole numbers are expected";
    Napi::TypeError::New(call.Env(), words).ThrowAsJavaScriptException();
    return false;
  }
  return true;
}

// reserveFile(fd, bytes): gives the file this length, so that no write to it can find the disk full.
Napi::Value reserve_from(const Napi::CallbackInfo& call) {
  double given[2];
  if (!take_numbers(call, "reserveFile", 2, given)) return call.Env().Undefined();
  const SystemResult done = reserve_file(static_cast<int>(given[0]), static_cast<uint64_t>(given[1]));
  if (done.error != 0) system_error(call.Env(), done.error, done.syscall).ThrowAsJavaScriptException();
  return call.Env().Undefined();
}

// createMemory(bytes) -> fd
Napi::Value create_memory_from(const Napi::CallbackInfo& call) {
  double given[1];
  if (!take_numbers(call, "createMemory", 1, given)) return call.Env().Undefined();
  int fd = -1;
  const SystemResult done = create_memory("acsplit", static_cast<uint64_t>(given[0]), &fd);
  if (done.error == 0) return Napi::Number::New(call.Env(), fd);
  system_error(call.Env(), done.error, done.syscall).ThrowAsJavaScriptException();
  return call.Env().Undefined();
}

// mapFile(fd, offset, bytes) -> ArrayBuffer, unmapped when it is collected. Each call creates a new mapping: V8 crashes
// when two external buffers share a pointer.
Napi::Value map_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  double given[3];
  if (!take_numbers(call, "mapFile", 3, given)) return env.Undefined();
  const size_t bytes = static_cast<size_t>(given[2]);
  void* at = nullptr;
  const SystemResult done = map_file(static_cast<int>(given[0]), static_cast<uint64_t>(given[1]), bytes, &at);
  if (done.error != 0) {
    system_error(env, done.error, done.syscall).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  return Napi::ArrayBuffer::New(env, at, bytes, [bytes](Napi::Env, void* mapped) { unmap(mapped, bytes); });
}

// dieWithParent(pid) -> whether pid is (still) our parent
Napi::Value die_with_parent_from(const Napi::CallbackInfo& call) {
  double given[1];
  if (!take_numbers(call, "dieWithParent", 1, given)) return call.Env().Undefined();
  return Napi::Boolean::New(call.Env(), die_with_parent(static_cast<pid_t>(given[0])));
}

// isReadable(fd)
Napi::Value is_readable_from(const Napi::CallbackInfo& call) {
  double given[1];
  if (!take_numbers(call, "isReadable", 1, given)) return call.Env().Undefined();
  return Napi::Boolean::New(call.Env(), is_readable(static_cast<int>(given[0])));
}

// sendDatagram(path, text)
Napi::Value send_datagram_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  if (call.Length() < 2 || !call[0].IsString() || !call[1].IsString()) {
    Napi::TypeError::New(env, "sendDatagram: a path and a text are expected").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const SystemResult done = send_datagram(call[0].As<Napi::String>(), call[1].As<Napi::String>());
  if (done.error != 0) system_error(env, done.error, done.syscall).ThrowAsJavaScriptException();
  return env.Undefined();
}

// peerOf(fd) -> { pid, uid } of the process that connected to this unix socket
Napi::Value peer_of_from(const Napi::CallbackInfo& call) {
  double given[1];
  if (!take_numbers(call, "peerOf", 1, given)) return call.Env().Undefined();
  Peer peer = {};
  const SystemResult done = peer_of(static_cast<int>(given[0]), &peer);
  if (done.error != 0) {
    system_error(call.Env(), done.error, done.syscall).ThrowAsJavaScriptException();
    return call.Env().Undefined();
  }
  Napi::Object result = Napi::Object::New(call.Env());
  result.Set("pid", Napi::Number::New(call.Env(), peer.pid));
  result.Set("uid", Napi::Number::New(call.Env(), peer.uid));
  return result;
}

// openSetSocket() -> fd
Napi::Value open_set_socket_from(const Napi::CallbackInfo& call) {
  int fd = -1;
  const SystemResult done = open_set_socket(&fd);
  if (done.error == 0) return Napi::Number::New(call.Env(), fd);
  system_error(call.Env(), done.error, done.syscall).ThrowAsJavaScriptException();
  return call.Env().Undefined();
}

// fillSet(fd, name, family, seconds): puts every address of family 4 or 6 into the ipset for this long.
Napi::Value fill_set_from(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  const auto number = [&](size_t i) { return call[i].IsNumber() ? call[i].As<Napi::Number>().DoubleValue() : -1; };
  const double fd = number(0);
  const double family = number(2);
  const double seconds = number(3);
  const bool is_socket = fd >= 0 && fd <= INT32_MAX && is_queue_socket(static_cast<int>(fd));
  if (!is_socket || !call[1].IsString() || (family != 4 && family != 6) ||
      !(seconds >= 1 && seconds <= kMostSetSeconds)) {
    const char* words = "fillSet: a socket of openSetSocket, a name, 4 or 6, and seconds are expected";
    Napi::TypeError::New(env, words).ThrowAsJavaScriptException();
    return env.Undefined();
  }
  const std::string name = call[1].As<Napi::String>().Utf8Value();
  const SystemResult done = fill_set(static_cast<int>(fd), name.c_str(), family == 6, static_cast<uint32_t>(seconds));
  if (done.error != 0) system_error(env, done.error, done.syscall).ThrowAsJavaScriptException();
  return env.Undefined();
}

Napi::Object define_exports(Napi::Env env, Napi::Object exports) {
  exports.Set("layout", Napi::Function::New(env, layout_from, "layout"));
  exports.Set("openQueues", Napi::Function::New(env, open_queues_from, "openQueues"));
  exports.Set("tryQueues", Napi::Function::New(env, try_queues_from, "tryQueues"));
  exports.Set("close", Napi::Function::New(env, close_from, "close"));
  exports.Set("boottimeMs", Napi::Function::New(env, boottime_from, "boottimeMs"));
  exports.Set("reserveFile", Napi::Function::New(env, reserve_from, "reserveFile"));
  exports.Set("createMemory", Napi::Function::New(env, create_memory_from, "createMemory"));
  exports.Set("mapFile", Napi::Function::New(env, map_from, "mapFile"));
  exports.Set("dieWithParent", Napi::Function::New(env, die_with_parent_from, "dieWithParent"));
  exports.Set("isReadable", Napi::Function::New(env, is_readable_from, "isReadable"));
  exports.Set("sendDatagram", Napi::Function::New(env, send_datagram_from, "sendDatagram"));
  exports.Set("peerOf", Napi::Function::New(env, peer_of_from, "peerOf"));
  exports.Set("openSetSocket", Napi::Function::New(env, open_set_socket_from, "openSetSocket"));
  exports.Set("fillSet", Napi::Function::New(env, fill_set_from, "fillSet"));
  define_map_functions(env, exports);
  define_probe_functions(env, exports);
  exports.Set("VerdictLoop", VerdictLoop::define(env));
  return exports;
}

}  // namespace
}  // namespace acsplit

static Napi::Object init(Napi::Env env, Napi::Object exports) { return acsplit::define_exports(env, exports); }

NODE_API_MODULE(acsplit, init)
