// Watches one descriptor on Node's event loop. Owns itself once started: the loop may still access it after close.
#ifndef ACSPLIT_POLLER_H_
#define ACSPLIT_POLLER_H_

#include <node_api.h>
#include <uv.h>

namespace acsplit {

class Poller {
 public:
  // Called when the descriptor is ready (status 0) or can no longer be watched (a positive errno). When the environment
  // ends, the poller closes itself; `closed` then tells the owner.
  struct Owner {
    virtual void on_ready(int status) = 0;
    virtual void on_environment_end() = 0;

   protected:
    ~Owner() = default;
  };

  // Watches a duplicate of `fd`, so that closing or reusing the number does not disturb the event loop. Returns nullptr
  // and sets `error` when that fails.
  static Poller* start(napi_env env, int fd, Owner* owner, int* error);

  // The duplicate, ours until close.
  int fd() const { return fd_; }

  // Whether to wait for writability as well.
  void watch_writable(bool writable);

  // Stops watching and closes the duplicate at once; the owner is not called again. Never touch the poller after this.
  void close();

 private:
  Poller(int fd, Owner* owner) : fd_(fd), owner_(owner) {}
  static void on_poll(uv_poll_t* watcher, int status, int events);
  static void on_closed(uv_handle_t* watcher);
  static void on_cleanup(napi_async_cleanup_hook_handle hook, void* self);

  uv_poll_t watcher_;
  int fd_;
  Owner* owner_;
  int events_ = UV_READABLE;
  napi_async_cleanup_hook_handle hook_ = nullptr;
};

}  // namespace acsplit

#endif  // ACSPLIT_POLLER_H_
