// The few lines of a test framework that these tests need.
#ifndef ACSPLIT_TEST_CHECK_H_
#define ACSPLIT_TEST_CHECK_H_

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <vector>

// Reports where a claim failed and ends the program, since anything after it would be noise.
#define CHECK(claim)                                                             \
  do {                                                                           \
    if (!(claim)) {                                                              \
      std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #claim); \
      std::exit(1);                                                              \
    }                                                                            \
  } while (0)

using Bytes = std::vector<uint8_t>;

// A copy that ends exactly where the allocation ends, so that the sanitizer sees one byte read too far.
inline std::unique_ptr<uint8_t[]> exact_copy(const uint8_t* bytes, size_t length) {
  std::unique_ptr<uint8_t[]> copy(new uint8_t[length]);
  for (size_t i = 0; i < length; i++) copy[i] = bytes[i];
  return copy;
}

// Seeded: the same run every time.
inline Bytes random_bytes(std::mt19937& random, size_t length) {
  Bytes bytes(length);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  return bytes;
}

void test_checksum();
void test_message();
void test_verdicts();
void test_queue();
void test_recovery();
void test_open();

#endif  // ACSPLIT_TEST_CHECK_H_
