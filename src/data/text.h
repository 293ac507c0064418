// Plain text as samples for language models.
#pragma once

#include "base/progress.h"
#include "data/skipped.h"

namespace cairn::data {

struct TextOptions {
  std::string name;                  // of the data set
  uint32_t context = 256;            // tokens that a sample predicts
  std::filesystem::path vocabulary;  // empty: a token is a byte
  std::filesystem::path work;        // a folder that is there, for texts as tokens; those there are used
  Progress progress;                 // asked now and then whether to go on
};

// A file, for training alone, or a folder of train.txt and perhaps val.txt or test.txt. A text that is too
// short for one sample is refused. What does not fill a last sample is left out.
Result<std::unique_ptr<Source>> open_text(const std::filesystem::path& path, const TextOptions& options);
bool is_text_folder(const std::filesystem::path& path);

}  // namespace cairn::data
