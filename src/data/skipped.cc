#include "data/skipped.h"

#include <fstream>

#include "base/text.h"

namespace cairn::data {
namespace {

std::string hex_escape(char c) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

}  // namespace

std::string escaped(std::string_view name) {
  std::string result;
  while (!name.empty()) {
    const size_t size = std::max<size_t>(1, utf8_length(name));
    const std::string_view character = name.substr(0, size);
    if (character != "\\" && check_name(character, size)) {
      result += character;
    } else {
      for (const char c : character) result += hex_escape(c);
    }
    name.remove_prefix(size);
  }
  return result;
}

std::string report_line(const Skipped& skipped) {
  return escaped(skipped.name) + "\t" + escaped(skipped.reason) + "\n";
}

Result<std::vector<Skipped>> read_report(const std::filesystem::path& path, uint64_t limit) {
  std::vector<Skipped> lines;
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return lines;
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{path.string() + ": cannot be read"};
  for (std::string line; lines.size() < limit && std::getline(file, line);) {
    const size_t tab = std::min(line.size(), line.find('\t'));
    lines.push_back({line.substr(0, tab), line.substr(std::min(line.size(), tab + 1))});
  }
  return lines;
}

}  // namespace cairn::data
