// Parses one response from bytes as they come (RFC 9112): head, then a body of given length, in chunks, or up
// to the end of the stream. Inside this folder only.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "net/message.h"

namespace cairn::net {

inline constexpr size_t kMaxResponseHead = 64 << 10;  // bytes

class ResponseReader {
 public:
  ResponseReader();
  ~ResponseReader();
  ResponseReader(ResponseReader&&) noexcept;
  ResponseReader& operator=(ResponseReader&&) noexcept;

  struct Step {
    size_t used = 0;  // of the input; the rest is to be given again, with more behind it
    size_t made = 0;  // bytes of the body written to the output
  };
  // Stops at the end of the head, of the body, of the input, or where the output is full.
  Result<Step> put(BytesView input, std::span<uint8_t> output);
  Status put_end();  // the stream has ended: an error where the response is not complete

  bool has_head() const;
  bool is_done() const;
  int status() const;
  bool keep_alive() const;
  std::optional<uint64_t> content_length() const;
  Headers headers() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The text of {"error": "text"}, or "" where the body is something else. Control characters become spaces.
std::string error_sentence(BytesView body);

}  // namespace cairn::net
