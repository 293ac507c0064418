// Byte pair encoding (Sennrich, Haddow and Birch, 2016, on bytes): text as numbers below 65536. How text is
// cut into pieces and pieces into tokens is defined in docs/formats/manifest.md.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/digest.h"

namespace cairn::data {

inline constexpr size_t kMaxToken = 128;                  // bytes
inline constexpr uint64_t kMaxVocabularySize = 9 << 20;   // bytes of encode()
inline constexpr uint64_t kMaxVocabularyFile = 16 << 20;  // bytes
inline constexpr size_t kMaxPiece = 128;                  // bytes

// Of at least 256 tokens, among them every single byte. Does not change: safe for several threads.
class Vocabulary {
 public:
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;
  // A file of lines "BASE64 RANK", as tiktoken has them; ranks from 0 without a gap, in any order.
  static Result<Vocabulary> read_file(const std::filesystem::path& path);
  // encode()'s bytes.
  static Result<Vocabulary> decode(BytesView bytes);
  Bytes encode() const;

  uint32_t size() const { return static_cast<uint32_t>(tokens_.size()); }
  const std::string& token(uint16_t number) const { return tokens_[number]; }
  // Of one piece, which has 1 to kMaxPiece bytes.
  void encode_piece(std::string_view piece, std::vector<uint16_t>& tokens) const;

 private:
  Vocabulary() = default;
  static Result<Vocabulary> make(std::vector<std::string> tokens);

  std::vector<std::string> tokens_;
  std::unordered_map<std::string_view, uint16_t> numbers_;  // views of tokens_
};

// The length of the piece that the text begins with. `last`: nothing follows the text; otherwise 0 means that
// what follows decides. Precondition: there is text.
size_t piece_length(std::string_view text, bool last);

}  // namespace cairn::data
