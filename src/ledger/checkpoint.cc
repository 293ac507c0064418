#include "ledger/checkpoint.h"

#include <charconv>

#include "base/base64.h"

namespace cairn::ledger {
namespace {

constexpr uint64_t kMaxLogSize = (uint64_t{1} << 63) - 1;  // what other tools' signed integers hold

Result<uint64_t> parse_size(std::string_view line) {
  uint64_t size = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), size);
  const bool whole = error == std::errc() && end == line.data() + line.size();
  if (!whole || (line[0] == '0' && line.size() > 1) || size > kMaxLogSize)
    return Error{"the size of the log must be a decimal number below 2^63 without leading zeros"};
  return size;
}

Result<Digest> parse_root(std::string_view line) {
  CAIRN_TRY(const Bytes bytes, from_base64(line));
  Digest root;
  if (bytes.size() != root.bytes.size()) return Error{"the root must be 32 bytes in base 64"};
  std::copy(bytes.begin(), bytes.end(), root.bytes.begin());
  return root;
}

template <class T>
Result<T> in_line(const char* line, Result<T> result) {
  if (!result) return result.error().within(line);
  return result;
}

// The lines of a text, without their line feeds; none may be empty.
Result<std::vector<std::string>> lines_of(std::string_view text) {
  if (!text.ends_with('\n')) return Error{"the text of a checkpoint must end with a line feed"};
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == 0) return Error{"an empty line"}.within("line " + std::to_string(lines.size() + 1));
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace

std::string log_origin(const Digest& project) {
  return "cairn/" + project.hex();
}

NoteKey log_key(const Digest& project, const PublicKey& coordinator) {
  return {log_origin(project), coordinator};
}

std::string encode(const Checkpoint& checkpoint) {
  std::string text = checkpoint.origin + "\n" + std::to_string(checkpoint.head.size) + "\n" +
                     to_base64(checkpoint.head.root.bytes) + "\n";
  for (const std::string& line : checkpoint.extensions) text += line + "\n";
  return text;
}

Result<Checkpoint> parse_checkpoint_text(std::string_view text) {
  if (text.size() > kMaxNoteSize) return Error{"a checkpoint larger than a note may be"};
  CAIRN_TRY(std::vector<std::string> lines, lines_of(text));
  if (lines.size() < 3) {
    return Error{"the text ends before it: a checkpoint has origin, size and root"}.within(
        "line " + std::to_string(lines.size() + 1));
  }
  Checkpoint checkpoint;
  checkpoint.origin = lines[0];
  CAIRN_TRY(checkpoint.head.size, in_line("line 2", parse_size(lines[1])));
  CAIRN_TRY(checkpoint.head.root, in_line("line 3", parse_root(lines[2])));
  checkpoint.extensions.assign(lines.begin() + 3, lines.end());
  return checkpoint;
}

std::string sign_checkpoint(const Digest& project, const LogHead& head, const SigningKey& coordinator) {
  const std::string origin = log_origin(project);
  const std::string text = encode(Checkpoint{origin, head, {}});
  return encode(SignedNote{text, {sign_note(text, origin, coordinator)}});
}

Result<Checkpoint> open_checkpoint(std::string_view note, const NoteKey& key) {
  CAIRN_TRY(const SignedNote parsed, parse_note(note));
  CAIRN_CHECK(verify_note(parsed, key));
  CAIRN_TRY(Checkpoint checkpoint, parse_checkpoint_text(parsed.text));
  if (checkpoint.origin != key.name)
    return Error{"the checkpoint is of another log than " + key.name}.within("line 1");
  return checkpoint;
}

}  // namespace cairn::ledger
