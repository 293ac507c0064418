#include "data/text.h"

#include <algorithm>
#include <optional>

#include "base/file.h"
#include "data/append_file.h"
#include "data/vocabulary.h"

namespace cairn::data {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kPiece = 1 << 20;  // bytes that are read at once

// A file of tokens of one or two bytes (little-endian) each.
struct TokenFile {
  fs::path path;
  uint64_t width = 1;  // bytes
  uint64_t tokens = 0;

  static Result<TokenFile> open(const fs::path& path, uint64_t width) {
    std::error_code error;
    const uint64_t size = fs::file_size(path, error);
    if (error) return Error{path.string() + ": cannot be read: " + error.message()};
    return TokenFile{path, width, size / width};
  }

  // As 16 bits each.
  Result<Bytes> read(uint64_t first, uint64_t count) const {
    CAIRN_TRY(Bytes bytes, read_part(path, first * width, count * width));
    if (width == 2) return bytes;
    Bytes wide(2 * bytes.size());
    for (size_t i = 0; i < bytes.size(); ++i) wide[2 * i] = bytes[i];
    return wide;
  }
};

// Writes a text as tokens, a piece of it in memory at a time.
class Tokenizing {
 public:
  Tokenizing(const Vocabulary& vocabulary, AppendFile& out) : vocabulary_(vocabulary), out_(out) {}

  Status run(const fs::path& text, const Progress& progress) {
    std::error_code error;
    const uint64_t size = fs::file_size(text, error);
    if (error) return Error{text.string() + ": cannot be read: " + error.message()};
    for (uint64_t place = 0; place < size; place += kPiece) {
      CAIRN_TRY(const Bytes bytes, read_part(text, place, std::min(kPiece, size - place)));
      rest_.append(bytes.begin(), bytes.end());
      CAIRN_CHECK(encode(place + kPiece >= size));
      if (!report(progress, place, size)) return Error{"the import was stopped"};
    }
    return {};
  }

 private:
  Status encode(bool last) {
    size_t used = 0;
    std::vector<uint16_t> tokens;
    while (used < rest_.size()) {
      const std::string_view text = std::string_view(rest_).substr(used);
      const size_t length = piece_length(text, last);
      if (length == 0) break;
      vocabulary_.encode_piece(text.substr(0, length), tokens);
      used += length;
    }
    rest_.erase(0, used);
    ByteWriter writer;
    for (const uint16_t token : tokens) writer.u16(token);
    return out_.append(writer.bytes());
  }

  const Vocabulary& vocabulary_;
  AppendFile& out_;
  std::string rest_;  // whose piece may go on
};

// The text as tokens in `path`, whole or not at all; what is there is used.
Status tokenize(const fs::path& text, const Vocabulary& vocabulary, const fs::path& path,
                const Progress& progress) {
  std::error_code error;
  if (fs::exists(path, error)) return {};
  const fs::path unfinished = path.string() + ".new";
  fs::remove(unfinished, error);
  CAIRN_TRY(const auto out, AppendFile::open(unfinished));
  CAIRN_CHECK(Tokenizing(vocabulary, *out).run(text, progress));
  CAIRN_CHECK(out->sync());
  fs::rename(unfinished, path, error);
  if (error) return Error{path.string() + ": cannot be made: " + error.message()};
  return sync_directory(path.parent_path());
}

class TextSource : public Source {
 public:
  TextSource(Manifest manifest, std::optional<Bytes> tokens, std::array<std::optional<TokenFile>, 2> files)
      : manifest_(std::move(manifest)), tokens_(std::move(tokens)), files_(std::move(files)) {}

  const Manifest& description() const override { return manifest_; }
  std::vector<Bytes> extras() const override {
    return tokens_ ? std::vector<Bytes>{*tokens_} : std::vector<Bytes>{};
  }
  uint64_t count(Split split) const override {
    const auto& file = files_[static_cast<size_t>(split)];
    return file && file->tokens > 0 ? (file->tokens - 1) / manifest_.context : 0;
  }

  Result<Samples> read(Split split, uint64_t first, uint32_t count, ThreadPool&) override {
    const uint64_t context = manifest_.context;
    CAIRN_TRY(const Bytes tokens,
              files_[static_cast<size_t>(split)]->read(first * context, count * context + 1));
    Samples samples;
    samples.count = count;
    samples.bytes.reserve(count * manifest_.sample_size());
    for (uint64_t i = 0; i < count; ++i) {
      const auto begin = tokens.begin() + static_cast<ptrdiff_t>(2 * i * context);
      samples.bytes.insert(samples.bytes.end(), begin,
                           begin + static_cast<ptrdiff_t>(manifest_.sample_size()));
    }
    return samples;
  }

 private:
  Manifest manifest_;
  std::optional<Bytes> tokens_;
  std::array<std::optional<TokenFile>, 2> files_;
};

std::array<fs::path, 2> text_files(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path, {}};
  for (const char* name : {"val.txt", "test.txt"}) {
    if (fs::exists(path / name, error)) return {path / "train.txt", path / name};
  }
  return {path / "train.txt", {}};
}

}  // namespace

bool is_text_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path / "train.txt", error);
}

Result<std::unique_ptr<Source>> open_text(const fs::path& path, const TextOptions& options) {
  Manifest manifest;
  manifest.name = options.name;
  manifest.kind = Kind::text;
  manifest.context = options.context;
  manifest.vocabulary = 256;
  std::optional<Vocabulary> vocabulary;
  std::optional<Bytes> encoded;
  if (!options.vocabulary.empty()) {
    CAIRN_TRY(vocabulary, Vocabulary::read_file(options.vocabulary));
    encoded = vocabulary->encode();
    manifest.vocabulary = vocabulary->size();
    manifest.tokens = sha256(*encoded);
  }
  std::array<std::optional<TokenFile>, 2> files;
  const std::array<fs::path, 2> texts = text_files(path);
  for (size_t split = 0; split < 2; ++split) {
    if (texts[split].empty()) continue;
    fs::path tokens = texts[split];
    if (vocabulary) {
      tokens = options.work / (split == 0 ? "train.tokens" : "test.tokens");
      CAIRN_CHECK(tokenize(texts[split], *vocabulary, tokens, options.progress));
    }
    CAIRN_TRY(files[split], TokenFile::open(tokens, vocabulary ? 2 : 1));
    if (files[split]->tokens > options.context) continue;
    return Error{texts[split].string() + ": has " + std::to_string(files[split]->tokens) +
                 " tokens, where one sample of this context takes " + std::to_string(options.context + 1)};
  }
  return {std::make_unique<TextSource>(std::move(manifest), std::move(encoded), std::move(files))};
}

}  // namespace cairn::data
