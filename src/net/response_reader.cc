#include "net/response_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <limits>

namespace cairn::net {

namespace http = boost::beast::http;

struct ResponseReader::State {
  http::response_parser<http::buffer_body> parser;
};

ResponseReader::ResponseReader() : state_(std::make_unique<State>()) {
  state_->parser.header_limit(kMaxResponseHead);
  state_->parser.body_limit(boost::none);
}
ResponseReader::~ResponseReader() = default;
ResponseReader::ResponseReader(ResponseReader&&) noexcept = default;
ResponseReader& ResponseReader::operator=(ResponseReader&&) noexcept = default;

Result<ResponseReader::Step> ResponseReader::put(BytesView input, std::span<uint8_t> output) {
  auto& body = state_->parser.get().body();
  body.data = output.data();
  body.size = output.size();
  body.more = true;
  boost::system::error_code error;
  Step step;
  while (step.used < input.size() && !is_done()) {
    const bool had_head = has_head();
    const BytesView rest = input.subspan(step.used);
    const size_t used = state_->parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
    step.used += used;
    if (error == http::error::need_more || error == http::error::need_buffer) break;
    if (error) return Error{"the server's answer is no proper HTTP: " + error.message()};
    if (used == 0 || (!had_head && has_head())) break;
  }
  step.made = output.size() - body.size;
  return step;
}

Status ResponseReader::put_end() {
  boost::system::error_code error;
  if (!has_head()) return Error{"the server closed the connection before it answered"};
  if (!is_done()) state_->parser.put_eof(error);
  if (error) return Error{"the server closed the connection in the middle of its answer"};
  return {};
}

bool ResponseReader::has_head() const {
  return state_->parser.is_header_done();
}
bool ResponseReader::is_done() const {
  return state_->parser.is_done();
}
int ResponseReader::status() const {
  return static_cast<int>(state_->parser.get().result_int());
}
bool ResponseReader::keep_alive() const {
  return state_->parser.keep_alive();
}

std::optional<uint64_t> ResponseReader::content_length() const {
  const auto length = state_->parser.content_length();
  if (!length) return std::nullopt;
  return *length;
}

Headers ResponseReader::headers() const {
  Headers headers;
  for (const auto& field : state_->parser.get()) {
    const auto name = field.name_string();
    const auto value = field.value();
    // Fields that break the rules are as good as absent.
    (void)headers.add({name.data(), name.size()}, {value.data(), value.size()});
  }
  return headers;
}

}  // namespace cairn::net
