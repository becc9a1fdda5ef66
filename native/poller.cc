#include "poller.h"

#include <cerrno>
#include <fcntl.h>
#include <unistd.h>

namespace acsplit {

Poller* Poller::start(napi_env env, int fd, Owner* owner, int* error) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    *error = EINVAL;
    return nullptr;
  }
  const int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (own < 0) {
    *error = errno;
    return nullptr;
  }
  Poller* poller = new Poller(own, owner);
  if (const int status = uv_poll_init(loop, &poller->watcher_, own)) {
    // Nothing was registered with the loop, so there is nothing to close there.
    ::close(own);
    delete poller;
    *error = -status;
    return nullptr;
  }
  poller->watcher_.data = poller;
  napi_add_async_cleanup_hook(env, on_cleanup, poller, &poller->hook_);
  if (const int status = uv_poll_start(&poller->watcher_, poller->events_, on_poll)) {
    *error = -status;
    poller->close();
    return nullptr;
  }
  return poller;
}

void Poller::watch_writable(bool writable) {
  const int events = writable ? UV_READABLE | UV_WRITABLE : UV_READABLE;
  if (events == events_) return;
  events_ = events;
  uv_poll_start(&watcher_, events_, on_poll);
}

void Poller::close() {
  owner_ = nullptr;
  uv_handle_t* watcher = reinterpret_cast<uv_handle_t*>(&watcher_);
  if (uv_is_closing(watcher)) return;
  uv_close(watcher, on_closed);
  ::close(fd_);
}

void Poller::on_poll(uv_poll_t* watcher, int status, int) {
  Poller* self = static_cast<Poller*>(watcher->data);
  if (self->owner_ != nullptr) self->owner_->on_ready(-status);
}

void Poller::on_closed(uv_handle_t* watcher) {
  Poller* self = static_cast<Poller*>(watcher->data);
  if (self->hook_ != nullptr) napi_remove_async_cleanup_hook(self->hook_);
  delete self;
}

// The environment (a worker thread, the process) ends while the poller is still watching.
void Poller::on_cleanup(napi_async_cleanup_hook_handle, void* data) {
  Poller* self = static_cast<Poller*>(data);
  Owner* owner = self->owner_;
  self->close();
  if (owner != nullptr) owner->on_environment_end();
}

}  // namespace acsplit
