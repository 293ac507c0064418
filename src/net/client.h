// A blocking HTTP/1.1 client for one server (RFC 9110, RFC 9112), with TLS, proxies, resumable downloads,
// streamed uploads and server-sent events. Redirects are not followed: they are refusals.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/progress.h"
#include "net/message.h"
#include "net/url.h"

namespace cairn::net {

// Why a call to the server failed, and whether trying again may help.
struct Failure : Error {
  enum class Kind : uint8_t {
    local,      // this machine: a file that cannot be read or written, a bad argument
    refused,    // the server answered with `status`; the message ends with its JSON "error", if it gave one
    network,    // no connection, a broken one, or no progress for too long
    tls,        // no secure connection: certificate, host name, protocol
    invalid,    // the answer is no proper HTTP, over its limit, or not what was expected
    cancelled,  // by cancel(), by a progress report or by a callback
  };
  Kind kind = Kind::local;
  int status = 0;         // of a refusal
  std::string sentence;   // of a refusal: the JSON "error" alone
  int retry_after_s = 0;  // of a refusal: what the server asked to wait; 0: it did not say

  Failure(Error error) : Error(std::move(error)) {}  // NOLINT: an error of this machine is a failure
  Failure(Kind what, std::string text) : Error{std::move(text)}, kind(what) {}

  // Broken networks, and refusals with 408, 425, 429, 500, 502, 503 or 504.
  bool may_pass() const;
};

// CAIRN_TRY and CAIRN_CHECK take it, also in functions that give a Result<T>.
template <typename T>
using Outcome = Result<T, Failure>;

struct ClientOptions {
  Url server;
  // PEM file of the authorities to trust; empty: the system's (SSL_CERT_FILE, else where distributions keep
  // it).
  std::filesystem::path ca_file;
  bool verify_tls = true;
  // "http://host:port"; "": none; not given: from http_proxy, https_proxy and no_proxy.
  std::optional<std::string> proxy;
  std::string user_agent = "cairn";
  uint64_t bytes_per_second = 0;  // that bodies of requests are sent at, on average; 0: no limit
  std::chrono::milliseconds connect_time{15'000};  // name, connection and TLS together
  std::chrono::milliseconds stall_time{60'000};    // without any progress
};

struct ClientResponse {
  int status = 0;  // 2xx or 304: anything else is a Failure
  Headers headers;
  Bytes body;
};

struct Download {
  std::string target;          // "/path" below the server's prefix
  std::filesystem::path file;  // written as file + ".part", renamed when complete and on disk
  // More is refused with Failure::invalid before it is written.
  uint64_t max_size = 0;
  // Given all bytes in order, those of an earlier part too, which are read from disk. Empty: nobody looks.
  std::function<Status(BytesView)> sink;
  // Called with the bytes all seen and on disk, before the rename. On an error the part is deleted, and the
  // failure is `invalid`.
  std::function<Status()> check;
  Progress progress;  // bytes of the whole; total 0 while it is unknown. false: cancelled, the part stays
  Headers headers;
};

struct Upload {
  std::string target;
  Method method = Method::put;
  std::filesystem::path file;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t bytes_per_second = 0;  // at most, on average; 0: the client's limit
  Progress progress;              // bytes of the range handed to the network; false: cancelled
  Headers headers;
  uint64_t response_limit = 1 << 20;
};

struct ReceivedEvent {
  std::string id;    // the last id seen, also by an earlier event
  std::string name;  // "message" where the server gives none
  std::string data;
};

// One thread at a time, except for cancel(). Keeps its connection for the next call, and makes a new one
// where the server has closed it. An interface, so that a simulator can stand in.
class Client {
 public:
  static Result<std::unique_ptr<Client>> open(ClientOptions options);
  virtual ~Client() = default;

  // A body of up to `response_limit` bytes; more is Failure::invalid. GET, PUT and DELETE are tried a second
  // time where a kept connection turns out to be closed.
  virtual Outcome<ClientResponse> request(Method method, const std::string& target, const Headers& headers,
                                          BytesView body, uint64_t response_limit = 16 << 20) = 0;
  Outcome<ClientResponse> get(const std::string& target, uint64_t response_limit = 16 << 20) {
    return request(Method::get, target, {}, {}, response_limit);
  }

  // Goes on from where FILE.part ends.
  virtual Outcome<void> download(const Download& download) = 0;

  // Asks with "Expect: 100-continue" before a large body, and stops at an early refusal.
  virtual Outcome<ClientResponse> upload(const Upload& upload) = 0;

  // Reads events until the callback returns false (success) or the stream breaks (a failure: reconnect with
  // the last id). A stream without events or comments for stall_time is broken.
  virtual Outcome<void> events(const std::string& target, const std::optional<std::string>& last_id,
                               const std::function<bool(const ReceivedEvent&)>& callback) = 0;

  // From any thread or a signal handler: what is under way ends with Failure::cancelled within a moment, and
  // so does every later call until reset().
  virtual void cancel() = 0;
  virtual void reset() = 0;

  virtual const Url& server() const = 0;

 protected:
  Client() = default;
};

}  // namespace cairn::net
