// The JavaScript interface to BPF maps, for both addons: updateMap, deleteFromMap, readMap, readMapEntries. Argument
// checks only.
#ifndef ACSPLIT_MAP_FUNCTIONS_H_
#define ACSPLIT_MAP_FUNCTIONS_H_

#include <napi.h>

namespace acsplit {

void define_map_functions(Napi::Env env, Napi::Object exports);

}  // namespace acsplit

#endif  // ACSPLIT_MAP_FUNCTIONS_H_
