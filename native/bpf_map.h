// Entries of BPF maps by bpf(2), without libbpf: a worker needs no more than an inherited descriptor. No napi.
#ifndef ACSPLIT_BPF_MAP_H_
#define ACSPLIT_BPF_MAP_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace acsplit {

struct MapShape {
  uint32_t key_bytes;
  uint32_t value_bytes;
};

// Key and value sizes of a map; 0, or errno when the descriptor is no map.
int map_shape(int fd, MapShape* shape);
// Each returns 0 or errno. Key and value have the map's sizes. `flags`: BPF_F_LOCK, for values with a lock.
int update_entry(int fd, const void* key, const void* value, uint64_t flags);
int delete_entry(int fd, const void* key);
int read_entry(int fd, const void* key, void* value, uint64_t flags);
// Keys and values of all entries, one after the other. Entries that come or go meanwhile may be missing or doubled.
int read_entries(int fd, const MapShape& shape, std::vector<uint8_t>* entries);

// Maps a ring buffer of `bytes`: the consumer's page, writable, and, readable, the producer's page with the ring behind it,
// twice. 0 or errno
int map_ring(int fd, size_t page, size_t bytes, void** consumer, void** producer);

}  // namespace acsplit

#endif  // ACSPLIT_BPF_MAP_H_
