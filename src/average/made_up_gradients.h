// Gradient files made up from their digests, for tests of what happens to them afterwards.
#pragma once

#include <random>
#include <set>

#include "average/gradient_source.h"

namespace cairn::average {

class MadeUpGradients : public GradientSource {
 public:
  static constexpr size_t kParameters = 37;
  static constexpr uint32_t kBlock = 8;

  Result<work::GradientFile> get(const Digest& digest) const override {
    if (gone.contains(digest)) return Error{"no blob " + digest.hex()};
    if (const auto known = given.find(digest); known != given.end()) return known->second;
    return make(digest);
  }

  static work::GradientFile make(const Digest& digest) {
    std::mt19937_64 random(std::hash<Digest>()(digest));
    work::GradientFile file;
    file.block_size = kBlock;
    file.parameters = kParameters;
    if (digest.bytes[0] % 3 == 1) {  // of some only a third of the values was kept
      for (uint32_t i = static_cast<uint32_t>(random() % 3); i < kParameters; i += 3)
        file.positions.push_back(i);
    }
    file.values.resize(file.positions.empty() ? kParameters : file.positions.size());
    file.exponents.resize((file.values.size() + kBlock - 1) / kBlock);
    const int scale = -24 + static_cast<int>(random() % 6);
    for (int8_t& exponent : file.exponents)
      exponent = static_cast<int8_t>(scale + static_cast<int>(random() % 5));
    for (int16_t& value : file.values)
      value = static_cast<int16_t>(static_cast<int>(random() % 65535) - 32767);
    return file;
  }

  std::set<Digest> gone;
  std::map<Digest, work::GradientFile> given;
};

}  // namespace cairn::average
