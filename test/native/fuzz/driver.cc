// Runs message_fuzz.cc without libFuzzer: every file of the corpus, then mutations of them, the same in every run.
// native-fuzz CORPUS-DIRECTORY ROUNDS; with `--write` instead of ROUNDS it writes the seeds there.
#include <dirent.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "../messages.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t length);

namespace {

// A TCP segment of 20 bytes and a payload, as random as a checksum needs it.
Bytes packet(std::mt19937& random, uint8_t version, const Bytes& extensions, size_t payload) {
  const size_t header = version == 4 ? 20 : 40 + extensions.size() * 8;
  Bytes bytes = random_bytes(random, header + 20 + payload);
  const size_t counted = version == 4 ? bytes.size() : bytes.size() - 40;
  const size_t length_at = version == 4 ? 2 : 4;
  bytes[0] = static_cast<uint8_t>(version << 4 | 5);
  bytes[length_at] = static_cast<uint8_t>(counted >> 8);
  bytes[length_at + 1] = static_cast<uint8_t>(counted);
  if (version == 4) {
    bytes[6] = bytes[7] = 0;
    bytes[9] = 6;
    return bytes;
  }
  size_t number_at = 6;
  for (size_t i = 0; i < extensions.size(); i++) {
    bytes[number_at] = extensions[i];
    number_at = 40 + i * 8;
    bytes[number_at + 1] = 0;
    bytes[number_at + 3] = 0;
  }
  bytes[number_at] = 6;
  return bytes;
}

void write_seeds(const std::string& directory) {
  std::mt19937 random(1);
  const std::pair<const char*, Bytes> seeds[] = {
      {"ipv4", packet_message(0, 1, packet(random, 4, {}, 5))},
      {"ipv4-checksum-not-ready", packet_message(1, 2, packet(random, 4, {}, 0), NFQA_SKB_CSUMNOTREADY)},
      {"ipv4-gso", packet_message(2, 3, packet(random, 4, {}, 3000), NFQA_SKB_CSUMNOTREADY | NFQA_SKB_GSO)},
      {"ipv4-cut", packet_message(0, 4, packet(random, 4, {}, 8), 0, 9000)},
      {"ipv6", packet_message(0, 0xffffffff, packet(random, 6, {}, 7))},
      {"ipv6-extension-headers", packet_message(1, 6, packet(random, 6, {0, 43, 60}, 3), NFQA_SKB_CSUMNOTREADY)},
      {"ipv6-gso", packet_message(3, 7, packet(random, 6, {}, 2000), NFQA_SKB_CSUMNOTREADY | NFQA_SKB_GSO)},
      {"no-payload", packet_message(0, 8, {})},
      {"error", error_message(-2)},
      {"acknowledgement", error_message(0)},
  };
  for (const auto& [name, bytes] : seeds) {
    std::ofstream file(directory + "/" + name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    CHECK(file.good());
  }
}

std::vector<Bytes> read_corpus(const std::string& directory) {
  std::vector<std::string> names;
  DIR* folder = opendir(directory.c_str());
  CHECK(folder != nullptr);
  while (const dirent* entry = readdir(folder)) {
    if (entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(folder);
  std::sort(names.begin(), names.end());
  std::vector<Bytes> corpus;
  for (const std::string& name : names) {
    std::ifstream file(directory + "/" + name, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  CHECK(corpus.size() >= 10);
  return corpus;
}

// What fuzzers do: flip, set, cut, insert, splice; lengths and headers stand at the beginning, so mostly there.
void mutate(Bytes& bytes, const Bytes& other, std::mt19937& random) {
  for (size_t changes = 1 + random() % 4; changes > 0; changes--) {
    if (bytes.empty()) bytes.push_back(0);
    const size_t at = random() % (random() % 4 == 0 ? bytes.size() : std::min<size_t>(bytes.size(), 128));
    switch (random() % 6) {
      case 0:
        bytes[at] ^= static_cast<uint8_t>(1 << (random() % 8));
        break;
      case 1:
        bytes[at] = static_cast<uint8_t>(random());
        break;
      case 2: {
        const uint8_t favourites[] = {0, 1, 4, 6, 7, 8, 20, 43, 44, 60, 0x45, 0x60, 0x7f, 0x80, 0xff};
        bytes[at] = favourites[random() % sizeof favourites];
        break;
      }
      case 3:
        bytes.resize(at);
        break;
      case 4:
        bytes.insert(bytes.begin() + static_cast<long>(at), random() % 9, static_cast<uint8_t>(random()));
        break;
      default:
        bytes.resize(at);
        if (other.size() > at) bytes.insert(bytes.end(), other.begin() + static_cast<long>(at), other.end());
    }
  }
}

}  // namespace

int main(int count, char** words) {
  CHECK(count == 3);
  if (std::strcmp(words[2], "--write") == 0) {
    write_seeds(words[1]);
    return 0;
  }
  const std::vector<Bytes> corpus = read_corpus(words[1]);
  for (const Bytes& seed : corpus) LLVMFuzzerTestOneInput(seed.data(), seed.size());
  std::mt19937 random(3);
  const long rounds = std::strtol(words[2], nullptr, 10);
  CHECK(rounds > 0);
  for (long round = 0; round < rounds; round++) {
    Bytes bytes = corpus[random() % corpus.size()];
    mutate(bytes, corpus[random() % corpus.size()], random);
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
  }
  std::printf("native: %zu seeds and %ld mutations of them passed\n", corpus.size(), rounds);
  return 0;
}
