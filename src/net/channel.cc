#include "net/channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

namespace cairn::net {
namespace {

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

// OpenSSL's own socket BIO writes with write(), which raises SIGPIPE; this one does not.
int descriptor_of(BIO* bio) {
  return static_cast<int>(reinterpret_cast<intptr_t>(BIO_get_data(bio)));
}

int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t sent = ::send(descriptor_of(bio), data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && (would_block(errno) || errno == EINTR)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  const ssize_t got = ::recv(descriptor_of(bio), data, static_cast<size_t>(size), 0);
  if (got < 0 && (would_block(errno) || errno == EINTR)) BIO_set_retry_read(bio);
  if (got == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
  return static_cast<int>(got);
}

long bio_control(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0 ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* socket_method() {
  static const BIO_METHOD* const kMethod = [] {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals");
    CAIRN_ASSERT(method != nullptr);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
  }();
  return kMethod;
}

}  // namespace

void Channel::secure(Tls tls) {
  BIO* bio = BIO_new(socket_method());
  CAIRN_ASSERT(bio != nullptr);
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<intptr_t>(fd_)));
  BIO_set_init(bio, 1);
  SSL_set_bio(tls.get(), bio, bio);  // owns it
  tls_ = std::move(tls);
}

IoResult Channel::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  return result == 1 ? IoResult{Io::done, 0} : tls_result(result);
}

IoResult Channel::read(std::span<uint8_t> bytes) {
  size_t count = 0;
  IoResult last{Io::done, 0};
  while (count < bytes.size()) {
    const auto rest = bytes.subspan(count);
    if (tls_) {
      ERR_clear_error();
      const int got =
          SSL_read(tls_.get(), rest.data(), static_cast<int>(std::min<size_t>(rest.size(), INT_MAX)));
      last = got > 0 ? IoResult{Io::done, static_cast<size_t>(got)} : tls_result(got);
    } else {
      last = plain_result(::recv(fd_, rest.data(), rest.size(), 0), Io::want_read);
    }
    if (last.state != Io::done) break;
    count += last.count;
  }
  return count > 0 ? IoResult{Io::done, count} : last;
}

IoResult Channel::write(BytesView bytes) {
  if (!tls_) return plain_result(::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL), Io::want_write);
  ERR_clear_error();
  const int put =
      SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), INT_MAX)));
  return put > 0 ? IoResult{Io::done, static_cast<size_t>(put)} : tls_result(put);
}

void Channel::finish() {
  if (tls_ && SSL_is_init_finished(tls_.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
    ERR_clear_error();
  }
  ::shutdown(fd_, SHUT_WR);
}

IoResult Channel::plain_result(ssize_t moved, Io want) {
  if (moved > 0) return {Io::done, static_cast<size_t>(moved)};
  if (moved == 0) return {Io::closed, 0};
  if (would_block(errno) || errno == EINTR) return {want, 0};
  error_ = std::strerror(errno);
  return {Io::failed, 0};
}

IoResult Channel::tls_result(int result) {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {Io::want_read, 0};
    case SSL_ERROR_WANT_WRITE:
      return {Io::want_write, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {Io::closed, 0};
    case SSL_ERROR_SYSCALL:
      if (errno == 0) return {Io::closed, 0};
      error_ = std::strerror(errno);
      ERR_clear_error();
      return {Io::failed, 0};
    default:
      error_ = tls_error();
      return {Io::failed, 0};
  }
}

}  // namespace cairn::net
