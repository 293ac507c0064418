#include "net/exchange.h"

#include <algorithm>
#include <cstring>

namespace cairn::net {
namespace {

using Kind = Failure::Kind;

constexpr size_t kPiece = 256 << 10;                     // of a body on its way out
constexpr auto kContinueTime = std::chrono::seconds(1);  // some servers never say 100
constexpr size_t kLongestChunkHead = 16 << 10;           // bytes

Failure invalid(const Error& error) {
  return Failure(Kind::invalid, error.message);
}

}  // namespace

Outcome<void> Exchange::run(const std::string& head, const Outgoing& outgoing, bool expects_continue) {
  CAIRN_CHECK(link_.write_all(as_bytes(head), stall_));
  if (expects_continue) {
    const auto until = Clock::now() + kContinueTime;
    while (!has_final_head() && !told_to_continue_ && !ended_ && Clock::now() < until) {
      CAIRN_CHECK(listen(until));
    }
  }
  if (!has_final_head()) CAIRN_CHECK(send_body(outgoing));
  while (!has_final_head()) {
    if (ended_) {
      if (const Status status = reader_.put_end(); !status)
        return Failure(Kind::network, status.error().message);
    }
    CAIRN_CHECK(receive());
    CAIRN_CHECK(parse_head());
  }
  return {};
}

Outcome<void> Exchange::send_body(const Outgoing& outgoing) {
  uint64_t piece_size = kPiece;
  if (outgoing.bytes_per_second > 0) {
    piece_size = std::clamp<uint64_t>(outgoing.bytes_per_second / 100, 1 << 10, kPiece);
  }
  Bytes scratch(outgoing.length > 0 ? std::min<uint64_t>(piece_size, outgoing.length) : 0);
  const auto start = Clock::now();
  for (uint64_t sent = 0; sent < outgoing.length;) {
    CAIRN_TRY(const BytesView piece, outgoing.body(sent, scratch));
    CAIRN_CHECK(send_piece(piece));
    if (has_final_head()) return {};
    sent += piece.size();
    if (!report(outgoing.progress, sent, outgoing.length)) return Failure(Kind::cancelled, "cancelled");
    CAIRN_CHECK(pace(outgoing, sent, start));
    if (has_final_head()) return {};
  }
  sent_all_ = true;
  return {};
}

Outcome<void> Exchange::send_piece(BytesView piece) {
  CAIRN_CHECK(look());
  while (!piece.empty() && !has_final_head()) {
    Outcome<size_t> sent = link_.write(piece, Clock::now() + stall_);
    if (!sent) {
      // A server that refuses may close before it has read all: its answer says more than our broken pipe.
      if (sent.error().kind == Kind::network && look() && has_final_head()) return {};
      return sent.error();
    }
    piece = piece.subspan(*sent);
    if (*sent == 0) CAIRN_CHECK(look());
    if (ended_ && !has_final_head()) return Failure(Kind::network, "the server closed the connection");
  }
  return {};
}

Outcome<void> Exchange::pace(const Outgoing& outgoing, uint64_t sent, Clock::time_point start) {
  if (outgoing.bytes_per_second == 0) return {};
  const std::chrono::duration<double> due(static_cast<double>(sent) /
                                          static_cast<double>(outgoing.bytes_per_second));
  const auto until = start + std::chrono::duration_cast<Clock::duration>(due);
  while (Clock::now() < until && !has_final_head() && !ended_) CAIRN_CHECK(listen(until));
  return {};
}

Outcome<void> Exchange::listen(Clock::time_point until) {
  CAIRN_TRY(const bool readable, link_.wait_readable(until));
  return readable ? look() : Outcome<void>();
}

Outcome<void> Exchange::look() {
  if (end_ == input_.size()) return {};
  CAIRN_TRY(const std::optional<size_t> got, link_.read_now(std::span(input_).subspan(end_)));
  if (!got) return {};
  ended_ = *got == 0;
  heard_ = heard_ || *got > 0;
  end_ += *got;
  return parse_head();
}

Outcome<void> Exchange::receive() {
  if (begin_ > 0) {
    std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == input_.size()) return invalid({"the server's answer has a part that is too long"});
  CAIRN_TRY(const size_t got, link_.read(std::span(input_).subspan(end_), Clock::now() + stall_));
  ended_ = got == 0;
  heard_ = heard_ || got > 0;
  end_ += got;
  return {};
}

// Stops at the end of a final head; a 1xx is taken in and forgotten.
Outcome<void> Exchange::parse_head() {
  while (begin_ < end_ && !has_final_head()) {
    const Result<ResponseReader::Step> step =
        reader_.put(BytesView(input_).subspan(begin_, end_ - begin_), {});
    if (!step) return invalid(step.error());
    begin_ += step->used;
    if (!reader_.has_head()) return {};
    if (reader_.status() >= 200) return {};
    told_to_continue_ = told_to_continue_ || reader_.status() == 100;
    reader_ = ResponseReader();
  }
  return {};
}

Outcome<size_t> Exchange::read_body(std::span<uint8_t> bytes) {
  while (!reader_.is_done()) {
    const BytesView waiting = BytesView(input_).subspan(begin_, end_ - begin_);
    const Result<ResponseReader::Step> step = reader_.put(waiting, bytes);
    if (!step) return invalid(step.error());
    begin_ += step->used;
    if (step->made > 0) return step->made;
    if (reader_.is_done()) break;
    if (step->used > 0) continue;
    if (end_ - begin_ > kLongestChunkHead)
      return invalid({"the server's answer has a chunk that is no chunk"});
    if (ended_) {
      if (const Status status = reader_.put_end(); !status)
        return Failure(Kind::network, status.error().message);
      break;
    }
    CAIRN_CHECK(receive());
  }
  return size_t{0};
}

Outcome<Bytes> Exchange::read_whole_body(uint64_t limit) {
  Bytes body;
  while (true) {
    const size_t had = body.size();
    const uint64_t known = reader_.content_length().value_or(0);
    if (known > limit || had > limit) {
      return invalid({"the server's answer is longer than the " + std::to_string(limit) + " bytes expected"});
    }
    body.resize(had + (64 << 10));
    CAIRN_TRY(const size_t got, read_body(std::span(body).subspan(had)));
    body.resize(had + got);
    if (got == 0) return body;
  }
}

}  // namespace cairn::net
