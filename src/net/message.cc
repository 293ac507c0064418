#include "net/message.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace cairn::net {
namespace {

bool is_token_character(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
}

bool is_value_character(char c) {
  return c == '\t' || (static_cast<uint8_t>(c) >= 0x20 && c != 0x7f);
}

bool same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

Status check_field(std::string_view name, std::string_view value) {
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_token_character)) {
    return Error{"the header name \"" + escaped(name) + "\" is not a token of letters, digits and '-'"};
  }
  if (!std::all_of(value.begin(), value.end(), is_value_character)) {
    return Error{"the value of the header " + std::string(name) + " has a control character"};
  }
  return {};
}

// The length of the well-formed UTF-8 sequence at the start of `text` (RFC 3629), or 0.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) > 0x9f;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && byte(1) < 0x90;
    const bool too_large = first == 0xf4 && byte(1) > 0x8f;
    return continues(1) && continues(2) && continues(3) && !overlong && !too_large ? 4 : 0;
  }
  return 0;
}

void append_json_ascii(std::string& out, char c) {
  constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\t':
      out += "\\t";
      return;
    case '\r':
      out += "\\r";
      return;
    default:
      break;
  }
  if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
    out += "\\u00";
    out += kHex[static_cast<uint8_t>(c) >> 4];
    out += kHex[static_cast<uint8_t>(c) & 15];
  } else {
    out += c;
  }
}

}  // namespace

std::string_view method_name(Method method) {
  switch (method) {
    case Method::get:
      return "GET";
    case Method::post:
      return "POST";
    case Method::put:
      return "PUT";
    case Method::delete_:
      return "DELETE";
  }
  return "";
}

Status Headers::add(std::string_view name, std::string_view value) {
  CAIRN_CHECK(check_field(name, value));
  fields_.emplace_back(name, value);
  return {};
}

Status Headers::set(std::string_view name, std::string_view value) {
  CAIRN_CHECK(check_field(name, value));
  std::erase_if(fields_, [&](const auto& field) { return same_name(field.first, name); });
  return add(name, value);
}

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (same_name(key, name)) return value;
  }
  return {};
}

size_t Headers::count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(fields_.begin(), fields_.end(),
                                           [&](const auto& field) { return same_name(field.first, name); }));
}

std::optional<std::string_view> Request::parameter(std::string_view name) const {
  const auto found = query.find(name);
  if (found == query.end()) return std::nullopt;
  return found->second;
}

std::optional<uint64_t> Request::last_event_id() const {
  const std::string_view text = header("Last-Event-ID");
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return id;
}

Result<std::shared_ptr<const OpenFile>> OpenFile::open(const std::filesystem::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a FIFO must not hang us
  struct stat info {};
  if (fd < 0) return Error{path.string() + ": cannot read: " + std::strerror(errno)};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(fd);
    return Error{path.string() + ": is not a regular file"};
  }
  return std::shared_ptr<const OpenFile>(new OpenFile(fd, static_cast<uint64_t>(info.st_size), path));
}

OpenFile::~OpenFile() {
  ::close(fd_);
}

Status OpenFile::read(uint64_t offset, std::span<uint8_t> bytes) const {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Error{path_.string() + ": cannot read: " + std::strerror(errno)};
    if (got == 0) return Error{path_.string() + ": has become shorter while it was read"};
    offset += static_cast<uint64_t>(got);
    bytes = bytes.subspan(static_cast<size_t>(got));
  }
  return {};
}

Response Response::empty(int status) {
  Response response;
  response.status = status;
  return response;
}

Response Response::text(int status, std::string content_type, std::string text) {
  Response response;
  response.status = status;
  response.content_type = std::move(content_type);
  response.body = std::move(text);
  return response;
}

Response Response::bytes(std::string content_type, Bytes bytes) {
  Response response;
  response.content_type = std::move(content_type);
  response.body = std::move(bytes);
  return response;
}

Response Response::bytes(std::string content_type, std::shared_ptr<const Bytes> bytes) {
  Response response;
  response.content_type = std::move(content_type);
  response.body = std::move(bytes);
  return response;
}

Response Response::json(int status, std::string json) {
  return text(status, "application/json", std::move(json));
}

Response Response::error(int status, std::string_view sentence) {
  return json(status, error_body(sentence));
}

Response Response::try_later(int status, std::string_view sentence, int seconds) {
  Response response = error(status, sentence);
  const Status added = response.headers.add("Retry-After", std::to_string(seconds));
  CAIRN_ASSERT(added.ok());
  return response;
}

Result<Response> Response::file(const std::filesystem::path& path, std::string content_type) {
  CAIRN_TRY(std::shared_ptr<const OpenFile> file, OpenFile::open(path));
  Response response;
  response.content_type = std::move(content_type);
  const uint64_t size = file->size();
  response.body = FileRange{std::move(file), 0, size};
  return response;
}

uint64_t Response::body_size() const {
  switch (body.index()) {
    case 0:
      return std::get<0>(body).size();
    case 1:
      return std::get<1>(body).size();
    case 2:
      return std::get<2>(body)->size();
    default:
      return std::get<3>(body).length;
  }
}

struct Reply::State {
  explicit State(std::function<void(Response)> function) : deliver(std::move(function)) {}
  ~State() {
    if (!answered.exchange(true)) {
      deliver(Response::error(500, "the server gave no answer; this is a fault of the server"));
    }
  }
  std::function<void(Response)> deliver;
  std::atomic<bool> answered{false};
};

Reply::Reply(std::function<void(Response)> deliver) : state_(std::make_shared<State>(std::move(deliver))) {}

void Reply::operator()(Response response) const {
  if (!state_->answered.exchange(true)) state_->deliver(std::move(response));
}

std::string json_string(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const size_t length = utf8_length(text);
    if (length == 0) {
      result += "\\ufffd";
    } else if (length == 1) {
      append_json_ascii(result, text[0]);
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return result + '"';
}

std::string error_body(std::string_view sentence) {
  return "{\"error\": " + json_string(sentence) + "}\n";
}

std::string escaped(std::string_view text, size_t max_size) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string result;
  for (const char c : text.substr(0, max_size)) {
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      result += c;
    } else {
      result += {'\\', 'x', kHex[static_cast<uint8_t>(c) >> 4], kHex[static_cast<uint8_t>(c) & 15]};
    }
  }
  return text.size() > max_size ? result + "..." : result;
}

}  // namespace cairn::net
