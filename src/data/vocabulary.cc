#include "data/vocabulary.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/base64.h"
#include "base/file.h"
#include "data/manifest.h"

namespace cairn::data {
namespace {

constexpr std::string_view kMagic = "cairn vocabulary";

enum class Class : uint8_t { letter, digit, space, other };

// Every byte of what is not ASCII counts as a letter.
Class class_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte >= 0x80 || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) return Class::letter;
  if (byte >= '0' && byte <= '9') return Class::digit;
  if (byte == ' ' || (byte >= '\t' && byte <= '\r')) return Class::space;
  return Class::other;
}

// Where the run of one class that starts at `begin` ends, within the largest piece.
size_t run_end(std::string_view text, size_t begin) {
  const size_t limit = std::min(text.size(), kMaxPiece);
  size_t end = begin;
  while (end < limit && class_of(text[end]) == class_of(text[begin])) ++end;
  return end;
}

Error line_error(const std::filesystem::path& path, size_t line, const std::string& what) {
  return {path.string() + ": line " + std::to_string(line) + ": " + what};
}

struct Line {
  std::string token;
  uint32_t rank = 0;
};

Result<Line> parse_line(std::string_view text) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos) return Error{"is not a token in base 64, a space and its rank"};
  const auto token = from_base64(text.substr(0, space));
  if (!token || token->empty()) return Error{"does not begin with a token in base 64"};
  if (token->size() > kMaxToken) return Error{"has a token of more than 128 bytes"};
  const std::string_view digits = text.substr(space + 1);
  Line line{{token->begin(), token->end()}, 0};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), line.rank);
  if (error != std::errc() || end != digits.data() + digits.size()) return Error{"does not end with a rank"};
  if (line.rank >= kMaxVocabulary) return Error{"has a rank over 65535"};
  return line;
}

}  // namespace

Result<Vocabulary> Vocabulary::make(std::vector<std::string> tokens) {
  Vocabulary vocabulary;
  vocabulary.tokens_ = std::move(tokens);
  for (size_t i = 0; i < vocabulary.tokens_.size(); ++i) {
    if (vocabulary.tokens_[i].empty()) return Error{"rank " + std::to_string(i) + " has no token"};
    if (!vocabulary.numbers_.emplace(vocabulary.tokens_[i], static_cast<uint16_t>(i)).second)
      return Error{"rank " + std::to_string(i) + " repeats a token"};
  }
  for (int byte = 0; byte < 256; ++byte) {
    if (!vocabulary.numbers_.contains(std::string(1, static_cast<char>(byte))))
      return Error{"lacks the token of the single byte " + std::to_string(byte)};
  }
  return vocabulary;
}

Result<Vocabulary> Vocabulary::read_file(const std::filesystem::path& path) {
  CAIRN_TRY(const Bytes bytes, cairn::read_file(path, kMaxVocabularyFile));
  const std::string text(bytes.begin(), bytes.end());
  std::vector<std::string> tokens;
  size_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.size(), text.find('\n', begin));
    ++number;
    if (end > begin) {
      auto line = parse_line(std::string_view(text).substr(begin, end - begin));
      if (!line) return line_error(path, number, line.error().message);
      if (line->rank >= tokens.size()) tokens.resize(line->rank + 1);
      if (!tokens[line->rank].empty()) return line_error(path, number, "repeats a rank");
      tokens[line->rank] = std::move(line->token);
    }
    begin = end + 1;
  }
  auto vocabulary = make(std::move(tokens));
  if (!vocabulary) return vocabulary.error().within(path.string());
  return vocabulary;
}

Result<Vocabulary> Vocabulary::decode(BytesView bytes) {
  ByteReader reader(bytes);
  if (reader.string("magic", kMagic.size()) != kMagic) reader.fail("magic", "this is no vocabulary");
  std::vector<std::string> tokens(reader.count("tokens", 4 + 1, kMaxVocabulary));
  for (std::string& token : tokens) token = reader.string("tokens", kMaxToken);
  if (const Status status = reader.finish(); !status) return status.error().within("vocabulary");
  auto vocabulary = make(std::move(tokens));
  if (!vocabulary) return vocabulary.error().within("vocabulary: tokens");
  return vocabulary;
}

Bytes Vocabulary::encode() const {
  ByteWriter writer;
  writer.string(kMagic);
  writer.u32(size());
  for (const std::string& token : tokens_) writer.string(token);
  return writer.take();
}

// Joins, as long as there are any, the neighbours that together are the token of the lowest rank; of several
// such the first.
void Vocabulary::encode_piece(std::string_view piece, std::vector<uint16_t>& tokens) const {
  std::vector<size_t> starts;  // of the parts, and the end
  for (size_t i = 0; i <= piece.size(); ++i) starts.push_back(i);
  const auto rank = [&](size_t part, size_t parts) -> std::optional<uint16_t> {
    const auto found = numbers_.find(piece.substr(starts[part], starts[part + parts] - starts[part]));
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
  };
  for (;;) {
    std::optional<uint16_t> best;
    size_t place = 0;
    for (size_t i = 0; i + 2 < starts.size(); ++i) {
      const auto joined = rank(i, 2);
      if (!joined || (best && *joined >= *best)) continue;
      best = joined;
      place = i;
    }
    if (!best) break;
    starts.erase(starts.begin() + static_cast<ptrdiff_t>(place) + 1);
  }
  for (size_t i = 0; i + 1 < starts.size(); ++i) tokens.push_back(*rank(i, 1));
}

// One space may go before letters, digits or others; spaces before the last one of a run stay together.
size_t piece_length(std::string_view text, bool last) {
  const bool cut_short = !last && text.size() <= kMaxPiece;  // a run that ends the text may go on
  const bool leading = text[0] == ' ' && text.size() > 1 && class_of(text[1]) != Class::space;
  const size_t end = run_end(text, leading ? 1 : 0);
  if (end == text.size() && cut_short) return 0;
  if (class_of(text[0]) != Class::space || leading) return end;
  const bool space_for_next =
      end < text.size() && class_of(text[end]) != Class::space && text[end - 1] == ' ';
  return space_for_next && end > 1 ? end - 1 : end;
}

}  // namespace cairn::data
