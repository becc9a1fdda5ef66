// The JavaScript interface to probes of the network: askMacs, echo. Argument checks only.
#ifndef ACSPLIT_PROBE_FUNCTIONS_H_
#define ACSPLIT_PROBE_FUNCTIONS_H_

#include <napi.h>

namespace acsplit {

void define_probe_functions(Napi::Env env, Napi::Object exports);

}  // namespace acsplit

#endif  // ACSPLIT_PROBE_FUNCTIONS_H_
