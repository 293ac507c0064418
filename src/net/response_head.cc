#include "net/response_head.h"

#include <boost/beast/http/status.hpp>
#include <charconv>
#include <ctime>

namespace cairn::net {
namespace {

std::string_view reason(int status) {
  const auto text = boost::beast::http::obsolete_reason(static_cast<boost::beast::http::status>(status));
  return {text.data(), text.size()};
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}

// If-None-Match: "*" or a list of tags, compared weakly.
bool matches_etag(std::string_view list, const std::string& etag) {
  const std::string quoted = '"' + etag + '"';
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view tag = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (tag.starts_with(' ') || tag.starts_with('\t')) tag.remove_prefix(1);
    while (tag.ends_with(' ') || tag.ends_with('\t')) tag.remove_suffix(1);
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == quoted) return true;
  }
  return false;
}

struct ByteRange {
  enum class Kind : uint8_t { ignored, satisfiable, unsatisfiable };
  Kind kind = Kind::ignored;
  uint64_t offset = 0;
  uint64_t length = 0;
};

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// RFC 9110, section 14: what is no single well-formed range of bytes is ignored.
ByteRange parse_range(std::string_view text, uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  if (!text.starts_with(kUnit)) return {};
  text.remove_prefix(kUnit.size());
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return {};
  const std::optional<uint64_t> first = number(text.substr(0, dash));
  const std::optional<uint64_t> last = number(text.substr(dash + 1));
  if (dash == 0) {  // the last so many bytes
    if (!last) return {};
    if (*last == 0 || size == 0) return {ByteRange::Kind::unsatisfiable, 0, 0};
    const uint64_t length = std::min(*last, size);
    return {ByteRange::Kind::satisfiable, size - length, length};
  }
  if (!first || (!last && dash + 1 != text.size()) || (last && *last < *first)) return {};
  if (*first >= size) return {ByteRange::Kind::unsatisfiable, 0, 0};
  const uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {ByteRange::Kind::satisfiable, *first, end - *first + 1};
}

bool range_applies(const Request& request, const Response& response) {
  if (request.method != Method::get || request.headers.count("Range") != 1) return false;
  const std::string_view condition = request.header("If-Range");
  return condition.empty() || (!response.etag.empty() && condition == '"' + response.etag + '"');
}

// Narrows the response to the range that was asked for.
void apply_range(const Request& request, Response& response, std::string& fields) {
  auto& file = std::get<FileRange>(response.body);
  append_field(fields, "Accept-Ranges", "bytes");
  if (!range_applies(request, response)) return;
  const ByteRange range = parse_range(request.header("Range"), file.length);
  const std::string size = std::to_string(file.length);
  if (range.kind == ByteRange::Kind::unsatisfiable) {
    append_field(fields, "Content-Range", "bytes */" + size);
    response.status = 416;
    response.content_type = "application/json";
    response.body = error_body("the range begins behind the end of the file, which has " + size + " bytes");
  } else if (range.kind == ByteRange::Kind::satisfiable) {
    const uint64_t last = range.offset + range.length - 1;
    append_field(fields, "Content-Range",
                 "bytes " + std::to_string(range.offset) + "-" + std::to_string(last) + "/" + size);
    response.status = 206;
    file.offset += range.offset;
    file.length = range.length;
  }
}

bool has_no_body(int status) {
  return status < 200 || status == 204 || status == 304;
}

// Headers refuse control characters by themselves; these two fields are plain strings.
bool fields_are_clean(const Response& response) {
  Headers scratch;
  return scratch.add("Content-Type", response.content_type) && scratch.add("ETag", response.etag);
}

void append_description(const Response& response, std::string& fields) {
  if (!response.etag.empty()) append_field(fields, "ETag", '"' + response.etag + '"');
  if (!has_no_body(response.status)) {
    if (!response.content_type.empty()) append_field(fields, "Content-Type", response.content_type);
    append_field(fields, "Content-Length", std::to_string(response.body_size()));
    append_field(fields, "X-Content-Type-Options", "nosniff");
  }
  for (const auto& [name, value] : response.headers.all()) append_field(fields, name, value);
}

}  // namespace

PreparedResponse prepare_response(Response response, const RequestHead* request, bool keep_alive,
                                  const std::string& date) {
  if (!fields_are_clean(response)) {
    response =
        Response::error(500, "the answer had a control character in a header; this is a fault of the server");
  }
  std::string fields;
  if (request != nullptr && response.status == 200) {
    if (!response.etag.empty() && matches_etag(request->request.header("If-None-Match"), response.etag)) {
      response.status = 304;
    } else if (std::holds_alternative<FileRange>(response.body)) {
      apply_range(request->request, response, fields);
    }
  }
  append_description(response, fields);
  if (!keep_alive) {
    append_field(fields, "Connection", "close");
  } else if (request != nullptr && request->old_version) {
    append_field(fields, "Connection", "keep-alive");
  }
  PreparedResponse prepared;
  prepared.head = "HTTP/1.1 " + std::to_string(response.status) + " ";
  prepared.head.append(reason(response.status)).append("\r\n");
  append_field(prepared.head, "Date", date);
  prepared.head += fields + "\r\n";
  prepared.send_body = !has_no_body(response.status) && (request == nullptr || !request->head_only);
  prepared.response = std::move(response);
  return prepared;
}

std::string event_stream_head(const std::string& date) {
  // X-Accel-Buffering tells nginx to pass events on at once.
  return "HTTP/1.1 200 OK\r\nDate: " + date +
         "\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
         "X-Accel-Buffering: no\r\nConnection: close\r\n\r\n";
}

std::string http_date(int64_t unix_seconds) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto time = static_cast<std::time_t>(unix_seconds);
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %d %02d:%02d:%02d GMT", kDays[parts.tm_wday], parts.tm_mday,
                kMonths[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

}  // namespace cairn::net
