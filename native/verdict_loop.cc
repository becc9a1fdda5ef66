#include "verdict_loop.h"

#include <cerrno>
#include <ctime>

#include "open.h"
#include "system_error.h"

namespace acsplit {

double boottime_ms() {
  timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

Napi::Function VerdictLoop::define(Napi::Env env) {
  return DefineClass(env, "VerdictLoop",
                     {
                         InstanceMethod("start", &VerdictLoop::start),
                         InstanceMethod("stop", &VerdictLoop::stop),
                         InstanceMethod("counters", &VerdictLoop::counters),
                     });
}

VerdictLoop::VerdictLoop(const Napi::CallbackInfo& call) : Napi::ObjectWrap<VerdictLoop>(call) {
  const char* refusal = "an options object is expected";
  if (call.Length() >= 1 && call[0].IsObject()) refusal = configure(call[0].As<Napi::Object>());
  if (refusal == nullptr || call.Env().IsExceptionPending()) return;
  Napi::TypeError::New(call.Env(), std::string("VerdictLoop: ") + refusal).ThrowAsJavaScriptException();
}

// Reads { fd, firstQueue, region, capacity, onBatch, onError, journal?, spins? }; returns what is wrong with them, or nullptr.
// Types are checked by napi, since `instanceof` does not recognise objects of another realm.
const char* VerdictLoop::configure(Napi::Object options) {
  Napi::Value fd = options.Get("fd");
  Napi::Value first = options.Get("firstQueue");
  Napi::Value region = options.Get("region");
  Napi::Value capacity = options.Get("capacity");
  Napi::Value on_batch = options.Get("onBatch");
  Napi::Value on_error = options.Get("onError");
  Napi::Value journal = options.Get("journal");
  Napi::Value spins = options.Get("spins");
  if (Env().IsExceptionPending()) return nullptr;  // a getter threw
  if (!fd.IsNumber() || !first.IsNumber() || !capacity.IsNumber()) return "fd, firstQueue and capacity must be numbers";
  if (!spins.IsBoolean() && !spins.IsUndefined()) return "spins must be a boolean";
  if (!region.IsArrayBuffer()) return "region must be an ArrayBuffer";
  if (!on_batch.IsFunction() || !on_error.IsFunction()) return "onBatch and onError must be functions";
  const double slots = capacity.As<Napi::Number>().DoubleValue();
  const double number = first.As<Napi::Number>().DoubleValue();
  if (!(slots >= 1 && slots <= kMaxCapacity)) return "capacity must be from 1 to 1024";
  if (!(number >= 0 && number <= 65535)) return "firstQueue must be from 0 to 65535";
  capacity_ = static_cast<size_t>(slots);
  first_queue_ = static_cast<uint16_t>(number);
  spins_ = spins.IsUndefined() || spins.As<Napi::Boolean>().Value();
  Napi::ArrayBuffer memory = region.As<Napi::ArrayBuffer>();
  if (memory.ByteLength() < region_bytes(capacity_)) return "region is too small for the capacity";
  if (journal.IsArrayBuffer()) {
    Napi::ArrayBuffer outliving = journal.As<Napi::ArrayBuffer>();
    if (outliving.ByteLength() < journal_bytes(capacity_)) return "journal is too small for the capacity";
    journal_ = Napi::Reference<Napi::ArrayBuffer>::New(outliving, 1);
  } else if (!journal.IsUndefined()) {
    return "journal must be an ArrayBuffer";
  }
  fd_ = fd.As<Napi::Number>().Int32Value();
  if (!is_queue_socket(fd_)) return "fd is not a netfilter netlink socket";
  region_ = Napi::Reference<Napi::ArrayBuffer>::New(memory, 1);
  on_batch_ = Napi::Persistent(on_batch.As<Napi::Function>());
  on_error_ = Napi::Persistent(on_error.As<Napi::Function>());
  return nullptr;
}

VerdictLoop::~VerdictLoop() {
  if (poller_ != nullptr) poller_->close();
}

Napi::Value VerdictLoop::start(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  if (poller_ != nullptr) return env.Undefined();
  if (queue_) {
    Napi::Error::New(env, "VerdictLoop: was stopped; make a new one").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  int error = 0;
  poller_ = Poller::start(env, fd_, this, &error);
  if (poller_ == nullptr) {
    system_error(env, error, "poll").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  context_ = std::make_unique<Napi::AsyncContext>(env, "acsplit.verdicts");
  uint8_t* journal = nullptr;
  if (!journal_.IsEmpty()) journal = static_cast<uint8_t*>(journal_.Value().Data());
  queue_ = std::make_unique<Queue>(poller_->fd(), first_queue_, capacity_, journal, spins_);
  Ref();  // a running loop must not be collected, even without references
  if (journal != nullptr) recover();
  return env.Undefined();
}

// Finishes what a dead process began; region and journal are what it left behind.
void VerdictLoop::recover() {
  Batch batch;
  if (!take_region(&batch)) return fail(EFAULT, "recvmmsg");
  const Queue::Recovered found = queue_->recover(batch);
  if (found.error != 0) return fail(found.error, "sendmsg");
  if (found.count > 0 && !found.given_up && !decide(found.count)) return;
  if (!take_region(&batch)) return fail(EFAULT, "sendmsg");
  if (flush(batch)) queue_->retire();
}

Napi::Value VerdictLoop::stop(const Napi::CallbackInfo& call) {
  if (is_deciding_) {
    stop_wanted_ = true;
  } else {
    last_flush();
    halt();
  }
  return call.Env().Undefined();
}

// Stopped while the kernel was short of memory: one more try, then the rest counts as failed. The kernel drops those
// packets when the queue's socket closes.
void VerdictLoop::last_flush() {
  Batch batch;
  if (poller_ == nullptr || !is_flushing_) return;
  if (!take_region(&batch) || queue_->send(batch) != 0) queue_->abandon();
  is_flushing_ = false;
}

void VerdictLoop::halt() {
  if (poller_ == nullptr) return;
  poller_->close();
  poller_ = nullptr;
  Unref();
}

void VerdictLoop::on_environment_end() { poller_ = nullptr; }

Napi::Value VerdictLoop::counters(const Napi::CallbackInfo& call) {
  Napi::Env env = call.Env();
  const Counters now = queue_ ? queue_->counters() : Counters();
  const uint64_t* values = reinterpret_cast<const uint64_t*>(&now);
  Napi::Object result = Napi::Object::New(env);
  for (size_t i = 0; i < kCounters; i++) {
    result.Set(kCounterNames[i], Napi::Number::New(env, static_cast<double>(values[i])));
  }
  return result;
}

// The current region: JavaScript may have transferred or shrunk the buffer since the last call.
bool VerdictLoop::take_region(Batch* batch) {
  void* bytes = nullptr;
  size_t length = 0;
  if (napi_get_arraybuffer_info(Env(), region_.Value(), &bytes, &length) != napi_ok) return false;
  *batch = {static_cast<uint8_t*>(bytes), capacity_};
  return bytes != nullptr && length >= region_bytes(capacity_);
}

void VerdictLoop::on_ready(int error) {
  Napi::HandleScope scope(Env());
  // stop() inside a callback drops the reference to us: keep one until we return.
  [[maybe_unused]] const Napi::Object self = Value();
  if (error != 0) return fail(error, "poll");
  Batch batch;
  if (!take_region(&batch)) return fail(EFAULT, "recvmmsg");
  if (is_flushing_ && !flush(batch)) return;
  // Wait for the next packets in recvmmsg itself: an empty read and a turn of the event loop would cost two more system
  // calls per batch.
  const double until_ms = boottime_ms() + kMostAwayMs;
  for (bool is_first = true; poller_ != nullptr && boottime_ms() < until_ms; is_first = false) {
    const Queue::Received received = queue_->receive(batch, !is_first);
    report_verdict_errors();
    if (received.error == EAGAIN) return;
    if (received.error == ENOBUFS) continue;  // an overrun on a socket opened without NO_ENOBUFS; the ids show the loss
    if (received.error != 0) return fail(received.error, "recvmmsg");
    if (received.count == 0) continue;
    if (!decide(received.count)) return;
    if (!take_region(&batch)) return fail(EFAULT, "sendmsg");
    if (!flush(batch)) return;
  }
}

// One call into JavaScript. False when it threw: the loop has stopped, nothing of this batch was sent, and the process
// sees the exception as uncaught.
bool VerdictLoop::decide(size_t count) {
  Napi::Env env = Env();
  Napi::HandleScope scope(env);
  const napi_value arguments[] = {Napi::Number::New(env, static_cast<double>(count)),
                                  Napi::Number::New(env, boottime_ms())};
  is_deciding_ = true;
  const napi_status status =
      napi_make_callback(env, *context_, Value(), on_batch_.Value(), 2, arguments, nullptr);
  is_deciding_ = false;
  if (status == napi_ok) return true;
  halt();
  surface_exception();
  return false;
}

// Sends what is decided. False when the loop must not receive now: the rest waits for room, or the loop has stopped.
bool VerdictLoop::flush(const Batch& batch) {
  const int error = queue_->send(batch);
  is_flushing_ = error == EAGAIN;
  if (error != 0 && error != EAGAIN) {
    queue_->abandon();
    fail(error, "sendmsg");
    return false;
  }
  if (stop_wanted_) {
    last_flush();
    halt();
    return false;
  }
  poller_->watch_writable(is_flushing_);
  return !is_flushing_;
}

// Counts refused verdicts. Reports the first of each kind, because EPERM, for one, means that none will pass.
void VerdictLoop::report_verdict_errors() {
  while (const int error = queue_->take_new_verdict_error()) report(error, "verdict");
}

void VerdictLoop::fail(int error, const char* syscall) {
  halt();
  report(error, syscall);
}

void VerdictLoop::report(int error, const char* syscall) {
  Napi::Env env = Env();
  Napi::HandleScope scope(env);
  const napi_value argument = system_error(env, error, syscall).Value();
  const napi_status status = napi_make_callback(env, *context_, Value(), on_error_.Value(), 1, &argument, nullptr);
  if (status != napi_ok) surface_exception();
}

// No JavaScript frame is below us on the stack, so the exception becomes an uncaught one.
void VerdictLoop::surface_exception() {
  bool is_pending = false;
  napi_value exception = nullptr;
  if (napi_is_exception_pending(Env(), &is_pending) != napi_ok || !is_pending) return;  // the environment is ending
  if (napi_get_and_clear_last_exception(Env(), &exception) == napi_ok) napi_fatal_exception(Env(), exception);
}

}  // namespace acsplit
