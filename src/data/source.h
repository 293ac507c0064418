// A data set in the form in which people have it, as the importer reads it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/threads.h"
#include "data/manifest.h"

namespace cairn::data {

// What is left out of the data set, and why.
struct Skipped {
  std::string name;  // as the source has it: any bytes
  std::string reason;
};

struct Samples {
  Bytes bytes;                      // one sample after the other
  std::vector<IndexEntry> entries;  // of images, one each
  std::vector<Skipped> skipped;
  uint32_t count = 0;
};

// One thread at a time. Memory does not grow with the number of samples.
class Source {
 public:
  virtual ~Source() = default;

  // The manifest but for its groups.
  virtual const Manifest& description() const = 0;
  // Blobs beside the shards that the manifest names: a vocabulary.
  virtual std::vector<Bytes> extras() const { return {}; }
  // Samples of the split, some of which may turn out to be damaged.
  virtual uint64_t count(Split split) const = 0;
  // Reads the samples [first, first + count) but for those that have to be skipped. Fastest where they follow
  // the last that were read. The threads of `pool` may work side by side, which changes no bit. An error
  // means that the source as a whole cannot be read. Precondition: there are so many.
  virtual Result<Samples> read(Split split, uint64_t first, uint32_t count, ThreadPool& pool) = 0;
};

}  // namespace cairn::data
