#include "net/link.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

namespace cairn::net {
namespace {

constexpr size_t kMaxProxyHead = 16 << 10;
constexpr auto kOneAddress = std::chrono::seconds(5);  // before the next address of a name is tried

using Kind = Failure::Kind;

int poll_time(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left, 0, 1'000'000));
}

struct AddressListFree {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using AddressList = std::unique_ptr<addrinfo, AddressListFree>;

// getaddrinfo() can neither be cancelled nor given a deadline, so it runs on a thread that is left behind.
struct Lookup {
  CancelFlag done;
  std::mutex mutex;
  AddressList addresses;
  int error = 0;
};

void look_up(const std::string& host, const std::string& port, int flags, Lookup& lookup) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* list = nullptr;
  const int error = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
  const std::lock_guard lock(lookup.mutex);
  lookup.addresses.reset(list);
  lookup.error = error;
  lookup.done.set();
}

Outcome<AddressList> resolve(const Url& url, const CancelFlag& cancel, Clock::time_point deadline) {
  const auto lookup = std::make_shared<Lookup>();
  const std::string port = std::to_string(url.port);
  look_up(url.host, port, AI_NUMERICHOST, *lookup);
  if (lookup->error != 0) {
    lookup->done.clear();
    std::thread([lookup, host = url.host, port] { look_up(host, port, AI_ADDRCONFIG, *lookup); }).detach();
    pollfd waits[] = {{lookup->done.fd(), POLLIN, 0}, {cancel.fd(), POLLIN, 0}};
    while (::poll(waits, 2, poll_time(deadline)) < 0 && errno == EINTR) {
    }
    if (cancel.is_set()) return Failure(Kind::cancelled, "cancelled");
    if (!lookup->done.is_set()) {
      return Failure(Kind::network, url.host + ": its name was not resolved in time; check the network");
    }
  }
  const std::lock_guard lock(lookup->mutex);
  if (lookup->error != 0) {
    return Failure(Kind::network, url.host + ": cannot resolve the name: " + ::gai_strerror(lookup->error));
  }
  return std::move(lookup->addresses);
}

Failure connect_failure(const Url& url, int error) {
  return Failure(Kind::network, url.authority() + ": cannot connect: " + std::strerror(error));
}

// The socket is connected or closed.
Outcome<int> connect_address(const Url& url, const addrinfo& address, const CancelFlag& cancel,
                             Clock::time_point deadline) {
  const int fd = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return connect_failure(url, errno);
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  int error = ::connect(fd, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    pollfd waits[] = {{fd, POLLOUT, 0}, {cancel.fd(), POLLIN, 0}};
    int ready = 0;
    while ((ready = ::poll(waits, 2, poll_time(deadline))) < 0 && errno == EINTR) {
    }
    socklen_t size = sizeof error;
    error = ETIMEDOUT;
    if (ready > 0 && waits[0].revents != 0) ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error == 0 && !cancel.is_set()) return fd;
  ::close(fd);
  if (cancel.is_set()) return Failure(Kind::cancelled, "cancelled");
  return connect_failure(url, error);
}

Outcome<int> connect_any(const Url& url, const CancelFlag& cancel, Clock::time_point deadline) {
  CAIRN_TRY(const AddressList addresses, resolve(url, cancel, deadline));
  Outcome<int> last = Failure(Kind::network, url.host + ": has no address");
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    auto until = deadline;
    if (address->ai_next != nullptr) until = std::min(deadline, Clock::now() + kOneAddress);
    last = connect_address(url, *address, cancel, until);
    if (last || last.error().kind == Kind::cancelled) break;
  }
  return last;
}

}  // namespace

CancelFlag::CancelFlag() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  CAIRN_ASSERT(fd_ >= 0);
}

CancelFlag::~CancelFlag() {
  ::close(fd_);
}

void CancelFlag::set() {
  const int saved = errno;
  set_ = true;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(fd_, &one, sizeof one);
  errno = saved;
}

void CancelFlag::clear() {
  uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t got = ::read(fd_, &ignored, sizeof ignored);
  set_ = false;
}

Outcome<std::unique_ptr<Link>> Link::connect(const Destination& destination, const CancelFlag& cancel) {
  const auto deadline = Clock::now() + destination.connect_time;
  const Url& first = destination.proxy ? destination.proxy->url : destination.server;
  CAIRN_TRY(const int fd, connect_any(first, cancel, deadline));
  std::unique_ptr<Link> link(new Link(fd, cancel));
  if (destination.tls != nullptr) {
    if (destination.proxy) CAIRN_CHECK(link->tunnel(destination, deadline));
    CAIRN_CHECK(link->secure(destination, deadline));
  }
  return link;
}

Link::~Link() {
  channel_.finish();
  ::close(channel_.fd());
}

Outcome<void> Link::tunnel(const Destination& destination, Clock::time_point deadline) {
  const std::string target = destination.server.host.find(':') == std::string::npos
                                 ? destination.server.host
                                 : "[" + destination.server.host + "]";
  const std::string authority = target + ":" + std::to_string(destination.server.port);
  std::string head = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  if (!destination.proxy->authorization.empty()) {
    head += "Proxy-Authorization: " + destination.proxy->authorization + "\r\n";
  }
  head += "\r\n";
  CAIRN_CHECK(write_all(as_bytes(head), destination.connect_time));
  std::string answer;
  // Byte by byte, so that nothing of what follows the head is taken away from TLS.
  while (!answer.ends_with("\r\n\r\n")) {
    uint8_t byte = 0;
    CAIRN_TRY(const size_t got, read(std::span(&byte, 1), deadline));
    if (got == 0 || answer.size() >= kMaxProxyHead) {
      return Failure(Kind::network, destination.proxy->url.authority() + ": the proxy gave no proper answer");
    }
    answer += static_cast<char>(byte);
  }
  if (answer.starts_with("HTTP/1.1 2") || answer.starts_with("HTTP/1.0 2")) return {};
  return Failure(Kind::network, destination.proxy->url.authority() + ": the proxy refused the connection: " +
                                    escaped(answer.substr(0, answer.find('\r'))));
}

Outcome<void> Link::secure(const Destination& destination, Clock::time_point deadline) {
  CAIRN_TRY(Tls tls, client_tls(destination.tls, destination.server.host, destination.verify));
  if (destination.session != nullptr) SSL_set_session(tls.get(), destination.session);
  channel_.secure(std::move(tls));
  while (true) {
    const IoResult result = channel_.handshake();
    if (result.state == Io::done) return {};
    if (result.state == Io::want_read || result.state == Io::want_write) {
      CAIRN_TRY(const short ready, wait(result.state == Io::want_read ? POLLIN : POLLOUT, deadline));
      if (ready != 0) continue;
      return Failure(Kind::network, destination.server.authority() + ": TLS was not set up in time");
    }
    if (result.state == Io::closed) {
      return Failure(Kind::network, destination.server.authority() + ": closed the connection during TLS");
    }
    const long verdict = SSL_get_verify_result(channel_.tls());
    const std::string reason =
        verdict == X509_V_OK ? channel_.error() : X509_verify_cert_error_string(verdict);
    return Failure(Kind::tls, destination.server.authority() + ": no secure connection: " + reason);
  }
}

Outcome<short> Link::wait(short events, Clock::time_point deadline) {
  while (true) {
    pollfd waits[] = {{channel_.fd(), events, 0}, {cancel_.fd(), POLLIN, 0}};
    const int ready = ::poll(waits, 2, poll_time(deadline));
    if (cancel_.is_set()) return Failure(Kind::cancelled, "cancelled");
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return broken(std::strerror(errno));
    if (waits[0].revents != 0) return waits[0].revents;
    if (Clock::now() >= deadline) return static_cast<short>(0);
  }
}

Outcome<size_t> Link::read(std::span<uint8_t> bytes, Clock::time_point deadline) {
  while (true) {
    if (cancel_.is_set()) return Failure(Kind::cancelled, "cancelled");
    const IoResult result = channel_.read(bytes);
    if (result.state == Io::done) return result.count;
    if (result.state == Io::closed) return size_t{0};
    if (result.state == Io::failed) return broken(channel_.error());
    CAIRN_TRY(const short ready, wait(result.state == Io::want_read ? POLLIN : POLLOUT, deadline));
    if (ready == 0) return broken("nothing came for too long");
  }
}

Outcome<std::optional<size_t>> Link::read_now(std::span<uint8_t> bytes) {
  if (cancel_.is_set()) return Failure(Kind::cancelled, "cancelled");
  const IoResult result = channel_.read(bytes);
  if (result.state == Io::done) return std::optional(result.count);
  if (result.state == Io::closed) return std::optional(size_t{0});
  if (result.state == Io::failed) return broken(channel_.error());
  return std::optional<size_t>();
}

Outcome<size_t> Link::write(BytesView bytes, Clock::time_point deadline) {
  while (true) {
    if (cancel_.is_set()) return Failure(Kind::cancelled, "cancelled");
    const IoResult result = channel_.write(bytes);
    if (result.state == Io::done) return result.count;
    if (result.state == Io::closed || result.state == Io::failed) return broken(channel_.error());
    CAIRN_TRY(const short ready, wait(POLLIN | (result.state == Io::want_write ? POLLOUT : 0), deadline));
    if (ready == 0) return broken("nothing could be sent for too long");
    if ((ready & POLLOUT) == 0) return size_t{0};
  }
}

Outcome<void> Link::write_all(BytesView bytes, std::chrono::milliseconds stall) {
  while (!bytes.empty()) {
    const IoResult result = channel_.write(bytes);
    if (cancel_.is_set()) return Failure(Kind::cancelled, "cancelled");
    if (result.state == Io::done) {
      bytes = bytes.subspan(result.count);
      continue;
    }
    if (result.state == Io::closed || result.state == Io::failed) return broken(channel_.error());
    CAIRN_TRY(const short ready,
              wait(result.state == Io::want_read ? POLLIN : POLLOUT, Clock::now() + stall));
    if (ready == 0) return broken("nothing could be sent for too long");
  }
  return {};
}

Outcome<bool> Link::wait_readable(Clock::time_point deadline) {
  if (channel_.is_secure() && SSL_has_pending(channel_.tls()) == 1) return true;
  CAIRN_TRY(const short ready, wait(POLLIN, deadline));
  return ready != 0;
}

// TLS may have sent session tickets, which are no answer; so it is asked by reading.
bool Link::is_fresh() {
  uint8_t byte = 0;
  return channel_.read(std::span(&byte, 1)).state == Io::want_read;
}

Failure Link::broken(const std::string& what) const {
  return Failure(Kind::network, "the connection broke: " + (what.empty() ? "closed by the server" : what));
}

}  // namespace cairn::net
