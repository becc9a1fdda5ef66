#include "system_error.h"

#include <uv.h>

#include <string>

namespace acsplit {

Napi::Error system_error(Napi::Env env, int error, const char* syscall) {
  char code[64];
  char words[128];
  uv_err_name_r(-error, code, sizeof code);
  uv_strerror_r(-error, words, sizeof words);
  Napi::Error result = Napi::Error::New(env, std::string(syscall) + " " + code + ": " + words);
  result.Set("code", Napi::String::New(env, code));
  result.Set("errno", Napi::Number::New(env, -error));
  result.Set("syscall", Napi::String::New(env, syscall));
  return result;
}

}  // namespace acsplit
