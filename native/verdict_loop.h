// The JavaScript class VerdictLoop: socket readable -> batch -> one call into JavaScript -> verdicts.
#ifndef ACSPLIT_VERDICT_LOOP_H_
#define ACSPLIT_VERDICT_LOOP_H_

#include <napi.h>

#include <memory>

#include "poller.h"
#include "queue.h"

namespace acsplit {

class VerdictLoop final : public Napi::ObjectWrap<VerdictLoop>, public Poller::Owner {
 public:
  static Napi::Function define(Napi::Env env);

  explicit VerdictLoop(const Napi::CallbackInfo& call);
  ~VerdictLoop() override;

 private:
  // Longest time the loop stays away from the event loop, whose turn costs as much as a packet. Timers and commands may
  // be delayed by this much, plus one batch and one wait for packets (Queue::kMostWaitMs).
  static constexpr double kMostAwayMs = 5;

  Napi::Value start(const Napi::CallbackInfo& call);
  Napi::Value stop(const Napi::CallbackInfo& call);
  Napi::Value counters(const Napi::CallbackInfo& call);

  void on_ready(int error) override;
  void on_environment_end() override;

  const char* configure(Napi::Object options);
  bool take_region(Batch* batch);
  bool decide(size_t count);
  bool flush(const Batch& batch);
  void report_verdict_errors();
  void report(int error, const char* syscall);
  void fail(int error, const char* syscall);
  void surface_exception();
  void halt();
  void recover();
  void last_flush();

  int fd_ = -1;
  uint16_t first_queue_ = 0;
  bool spins_ = true;
  size_t capacity_ = 0;
  Napi::Reference<Napi::ArrayBuffer> region_;
  // Memory that outlives the process, if we were given any; its owner keeps it mapped.
  Napi::Reference<Napi::ArrayBuffer> journal_;
  Napi::FunctionReference on_batch_;
  Napi::FunctionReference on_error_;
  std::unique_ptr<Napi::AsyncContext> context_;
  std::unique_ptr<Queue> queue_;
  Poller* poller_ = nullptr;  // null: not started yet, or stopped
  bool is_deciding_ = false;  // JavaScript is deciding a batch
  bool stop_wanted_ = false;  // stop() was called meanwhile; the batch's verdicts still go out
  bool is_flushing_ = false;  // decided, not all sent
};

// CLOCK_BOOTTIME in milliseconds: keeps counting through suspend, never jumps.
double boottime_ms();

}  // namespace acsplit

#endif  // ACSPLIT_VERDICT_LOOP_H_
