// One request and its response over a link. Inside this folder only.
#pragma once

#include "net/link.h"
#include "net/response_reader.h"

namespace cairn::net {

struct Outgoing {
  Method method = Method::get;
  std::string target;
  Headers headers;
  uint64_t length = 0;  // of the body
  // The piece of the body at `offset`, at most as long as `scratch`, which it may use. Good until the next
  // call.
  std::function<Outcome<BytesView>(uint64_t offset, std::span<uint8_t> scratch)> body;
  uint64_t bytes_per_second = 0;  // 0: no limit
  Progress progress;
};

class Exchange {
 public:
  Exchange(Link& link, std::chrono::milliseconds stall) : link_(link), stall_(stall) {}

  // Sends `head` and the body, which ends early where the server answers early, and reads the response's
  // head.
  Outcome<void> run(const std::string& head, const Outgoing& outgoing, bool expects_continue);

  const ResponseReader& response() const { return reader_; }
  // Bytes of the body, at least one; 0: its end.
  Outcome<size_t> read_body(std::span<uint8_t> bytes);
  // At most `limit` bytes.
  Outcome<Bytes> read_whole_body(uint64_t limit);

  bool has_answer() const { return begin_ != end_ || heard_; }  // the server has sent anything at all
  bool can_keep_link() const {
    return sent_all_ && reader_.is_done() && reader_.keep_alive() && begin_ == end_;
  }

 private:
  Outcome<void> send_body(const Outgoing& outgoing);
  Outcome<void> send_piece(BytesView piece);
  Outcome<void> pace(const Outgoing& outgoing, uint64_t sent, Clock::time_point start);
  Outcome<void> listen(Clock::time_point until);  // for an early answer or a 100
  Outcome<void> look();                           // at what has come, without waiting
  Outcome<void> receive();                        // at least one byte, or the end of the stream
  Outcome<void> parse_head();
  bool has_final_head() const { return reader_.has_head() && reader_.status() >= 200; }

  Link& link_;
  std::chrono::milliseconds stall_;
  ResponseReader reader_;
  Bytes input_ = Bytes(64 << 10);
  size_t begin_ = 0;  // of what is received and not parsed yet
  size_t end_ = 0;
  bool ended_ = false;  // by the server
  bool heard_ = false;
  bool told_to_continue_ = false;
  bool sent_all_ = false;
};

}  // namespace cairn::net
