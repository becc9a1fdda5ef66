// Errors as JavaScript expects them, for both addons.
#ifndef ACSPLIT_SYSTEM_ERROR_H_
#define ACSPLIT_SYSTEM_ERROR_H_

#include <napi.h>

namespace acsplit {

// { code, errno (negative, as in Node's own), syscall, message }
Napi::Error system_error(Napi::Env env, int error, const char* syscall);

}  // namespace acsplit

#endif  // ACSPLIT_SYSTEM_ERROR_H_
