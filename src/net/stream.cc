#include "net/stream.h"

#include <sys/socket.h>

namespace cairn::net {
namespace {

constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr size_t kLingerBytes = 1 << 20;

}  // namespace

Stream::Stream(tcp::socket socket)
    : socket_(std::move(socket)),
      channel_(socket_.native_handle()),
      deadline_timer_(socket_.get_executor()),
      wake_(socket_.get_executor()) {
  boost::system::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.native_non_blocking(true, ignored);
  socket_.set_option(tcp::no_delay(true), ignored);
}

awaitable<bool> Stream::accept_tls(Tls tls) {
  channel_.secure(std::move(tls));
  while (true) {
    const IoResult result = channel_.handshake();
    if (result.state == Io::done) co_return true;
    if (result.state != Io::want_read && result.state != Io::want_write) co_return false;
    const bool is_ready = co_await ready(result.state);
    if (!is_ready) co_return false;
  }
}

awaitable<size_t> Stream::read_some(std::span<uint8_t> bytes) {
  while (!aborted_ && !expired_) {
    const IoResult result = channel_.read(bytes);
    if (result.state == Io::done) co_return result.count;
    if (result.state != Io::want_read && result.state != Io::want_write) co_return 0;
    const bool is_ready = co_await ready(result.state);
    if (!is_ready) co_return 0;
  }
  co_return 0;
}

awaitable<bool> Stream::write_all(BytesView bytes, Clock::duration patience) {
  expired_ = false;
  while (!bytes.empty()) {
    if (aborted_) co_return false;
    const IoResult result = channel_.write(bytes);
    if (result.state == Io::done) {
      bytes = bytes.subspan(result.count);
      continue;
    }
    if (result.state != Io::want_read && result.state != Io::want_write) co_return false;
    set_deadline(Clock::now() + patience);
    const bool is_ready = co_await ready(result.state);
    if (!is_ready) co_return false;
  }
  co_return true;
}

awaitable<bool> Stream::write_all(std::string_view text, Clock::duration patience) {
  return write_all(as_bytes(text), patience);
}

awaitable<bool> Stream::ready(Io want) {
  if (aborted_ || expired_) co_return false;
  boost::system::error_code error;
  const auto type = want == Io::want_read ? tcp::socket::wait_read : tcp::socket::wait_write;
  co_await socket_.async_wait(type, asio::redirect_error(asio::use_awaitable, error));
  co_return !error && !aborted_ && !expired_;
}

// One timer is kept running; a deadline that moves on costs nothing until the old one comes.
void Stream::set_deadline(Clock::time_point deadline) {
  deadline_ = deadline;
  expired_ = false;
  if (!watching_ || deadline_timer_.expiry() > deadline_) watch();
}

void Stream::watch() {
  if (deadline_ == Clock::time_point::max() || aborted_) return;
  watching_ = true;
  deadline_timer_.expires_at(deadline_);
  deadline_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (self && !error) self->on_timer();
  });
}

void Stream::on_timer() {
  watching_ = false;
  if (Clock::now() < deadline_) return watch();
  expired_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

awaitable<void> Stream::sleep(Clock::time_point deadline) {
  if (aborted_) co_return;
  boost::system::error_code ignored;
  wake_.expires_at(deadline);
  co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

awaitable<void> Stream::wait_for_wake() {
  boost::system::error_code ignored;
  wake_.expires_at(Clock::time_point::max());
  co_await wake_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
}

void Stream::abort() {
  aborted_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
  deadline_timer_.cancel();
  wake_.cancel();
}

awaitable<void> Stream::linger() {
  if (aborted_) co_return;
  channel_.finish();
  set_deadline(Clock::now() + kLingerTime);
  std::vector<uint8_t> scratch(16 << 10);
  size_t total = 0;
  while (total < kLingerBytes) {
    const ssize_t got = ::recv(channel_.fd(), scratch.data(), scratch.size(), 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) co_return;
    if (got > 0) {
      total += static_cast<size_t>(got);
      continue;
    }
    const bool is_ready = co_await ready(Io::want_read);
    if (!is_ready) co_return;
  }
}

}  // namespace cairn::net
