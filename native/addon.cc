// What JavaScript sees: layout, openQueues, close, boottimeMs, VerdictLoop. Argument checks only.
#include <napi.h>

#include "batch.h"
#include "open.h"
#include "verdict_loop.h"

namespace acsplit {
namespace {

// Room for a whole batch of super-packets in one sendmsg, where the system lets us.
constexpr uint32_t kSendBufferBytes = 16 * 1024 * 1024;
constexpr uint32_t kMaxQueues = 16;

// Reads a whole number from an options object; throws and returns false when it is none or out of range.
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

// openQueues({ first, count, length, gso, receiveBufferBytes }) -> { fd, receiveBufferBytes }. Throws a system error
// that carries `queue` when one queue in particular was refused.
Napi::Value open_queues_from(const Napi::CallbackInfo& call) {
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
  const Opened opened = open_queues(options);
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

// close(fd): the queues are unbound and what they held is dropped. Legal twice.
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

// layout(capacity): batch.h as numbers, for the test that holds it and src/packet/batch.ts together. Bytes, but for
// `header`, which counts 32-bit words.
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
  Napi::Object result = Napi::Object::New(env);
  result.Set("header", Napi::Number::New(env, kHeaderWords));
  result.Set("slotBytes", Napi::Number::New(env, kSlotBytes));
  result.Set("slots", Napi::Number::New(env, static_cast<double>(slots_offset(capacity))));
  result.Set("regionBytes", Napi::Number::New(env, static_cast<double>(region_bytes(capacity))));
  result.Set("columns", columns);
  return result;
}

Napi::Object define_exports(Napi::Env env, Napi::Object exports) {
  exports.Set("layout", Napi::Function::New(env, layout_from, "layout"));
  exports.Set("openQueues", Napi::Function::New(env, open_queues_from, "openQueues"));
  exports.Set("close", Napi::Function::New(env, close_from, "close"));
  exports.Set("boottimeMs", Napi::Function::New(env, boottime_from, "boottimeMs"));
  exports.Set("VerdictLoop", VerdictLoop::define(env));
  return exports;
}

}  // namespace
}  // namespace acsplit

static Napi::Object init(Napi::Env env, Napi::Object exports) { return acsplit::define_exports(env, exports); }

NODE_API_MODULE(acsplit, init)
