// HTTP requests and responses as handlers see them (RFC 9110). No sockets, nothing of Cairn's ledger: a
// handler can be called from a test or a simulator as well as by net::Server.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "net/url.h"

namespace cairn::net {

// A handler never sees HEAD: it is asked as for GET, and the server keeps the body back.
enum class Method : uint8_t { get, post, put, delete_ };

std::string_view method_name(Method method);  // "GET"

// Header fields in their order. Names are compared without regard to case.
class Headers {
 public:
  // Refuses names that are no tokens, and values with control characters (CR and LF above all) other than
  // tab.
  Status add(std::string_view name, std::string_view value);
  Status set(std::string_view name, std::string_view value);  // in place of those of that name

  // The first value of that name, or "" where there is none.
  std::string_view get(std::string_view name) const;
  size_t count(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct Request {
  Method method = Method::get;
  std::string path;  // as check_path() accepts it
  Query query;
  Headers headers;
  std::string peer;             // the client's address without its port, for limits and for people
  uint64_t content_length = 0;  // of the body that was announced
  Bytes body;                   // empty where a route streams the body, and while a router decides

  std::string_view header(std::string_view name) const { return headers.get(name); }
  std::optional<std::string_view> parameter(std::string_view name) const;  // of the query
  std::optional<uint64_t> last_event_id() const;  // of a client that comes back to an event stream
};

// A file that stays readable whatever happens to its name. Safe to read from several threads.
class OpenFile {
 public:
  static Result<std::shared_ptr<const OpenFile>> open(const std::filesystem::path& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  uint64_t size() const { return size_; }
  // Fills `bytes` from `offset` on; an error where the file has become shorter.
  Status read(uint64_t offset, std::span<uint8_t> bytes) const;

 private:
  OpenFile(int fd, uint64_t size, std::filesystem::path path)
      : fd_(fd), size_(size), path_(std::move(path)) {}
  int fd_;
  uint64_t size_;
  std::filesystem::path path_;
};

struct FileRange {
  std::shared_ptr<const OpenFile> file;
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct Response {
  int status = 200;
  std::string content_type;  // "": no body is described
  Headers headers;           // beyond those that follow from the other fields
  // Without quotes; "": none. Where it is given, If-None-Match gets a 304.
  std::string etag;
  // A file is streamed from disk, and a GET of it with status 200 honours a Range of one part (206, 416).
  std::variant<std::string, Bytes, std::shared_ptr<const Bytes>, FileRange> body;

  static Response empty(int status);
  static Response text(int status, std::string content_type, std::string text);
  static Response bytes(std::string content_type, Bytes bytes);
  static Response bytes(std::string content_type, std::shared_ptr<const Bytes> bytes);
  static Response json(int status, std::string json);
  // {"error": "sentence"}
  static Response error(int status, std::string_view sentence);
  // 429 and 503 with Retry-After.
  static Response try_later(int status, std::string_view sentence, int seconds);
  // The whole file, opened now; an error where it is missing or no regular file.
  static Result<Response> file(const std::filesystem::path& path, std::string content_type);

  uint64_t body_size() const;
};

// The way back to one client. Copies share it: the first call answers, later ones do nothing, and if the last
// copy is destroyed without a call the client gets a 500. May be called from any thread; never blocks.
class Reply {
 public:
  // Hands the response to `deliver`, on the thread that calls. The server makes these; so may a test.
  explicit Reply(std::function<void(Response)> deliver);

  void operator()(Response response) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// The sentence as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);
// {"error": "sentence"} with a newline at its end.
std::string error_body(std::string_view sentence);
// For log lines: printable ASCII as it is, everything else (and '"' and '\') as \xHH, at most `max_size`
// bytes of the input and "..." where there are more.
std::string escaped(std::string_view text, size_t max_size = 200);

}  // namespace cairn::net
