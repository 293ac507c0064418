#include "net/server.h"

#include <condition_variable>
#include <thread>

#include "net/connection.h"
#include "net/event_text.h"

namespace cairn::net {
namespace {

constexpr size_t kMaxRefusals = 64;  // connections that are being refused politely; more are just closed
constexpr auto kLongestDebt = std::chrono::seconds(10);        // of a peer that is too fast
constexpr auto kAcceptPause = std::chrono::milliseconds(100);  // when descriptors have run out

// What is counted as one peer: an IPv4 address, or the /64 that a provider gives to one customer.
std::string peer_key(const asio::ip::address& address) {
  if (address.is_v4()) return address.to_string();
  auto bytes = address.to_v6().to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return asio::ip::address_v6(bytes).to_string() + "/64";
}

asio::ip::address unmapped(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address;
}

Status check_options(const ServerOptions& options) {
  if (options.tls_certificate.empty() != options.tls_key.empty()) {
    return Error{"server: a TLS certificate needs its key, and the other way round"};
  }
  if (options.io_threads < 1 || options.pool_threads < 1) {
    return Error{"server: needs at least one io thread and one thread in the pool"};
  }
  if (options.limits.body_rate < 1) return Error{"server: the least body rate is one byte a second"};
  return {};
}

class AsioServer : public Server {
 public:
  AsioServer(ServerOptions options, Router router)
      : state_(std::make_shared<ServerState>(std::move(options), std::move(router))) {
    for (int i = 0; i < state_->options.io_threads; ++i) loops_.push_back(std::make_shared<Loop>());
    acceptor_ = std::make_unique<tcp::acceptor>(loops_[0]->io);
    pause_ = std::make_unique<asio::steady_timer>(loops_[0]->io);
  }
  ~AsioServer() override { stop(); }

  Status listen();
  void run();

  uint16_t port() const override { return port_; }
  void publish(const std::string& channel, const Event& event) override;
  Status reload_certificate() override;
  ServerCounters counters() const override;
  void stop() override;

 private:
  awaitable<void> accept();
  void welcome(tcp::socket socket, const std::shared_ptr<Loop>& loop);
  std::optional<Arrival> receive(const tcp::socket& socket);
  bool admit(Arrival& arrival, const asio::ip::address& address);
  Tls new_tls();
  void on_each_connection(void (Connection::*action)());
  bool wait_for_connections(Clock::time_point deadline);

  std::shared_ptr<ServerState> state_;
  std::vector<std::shared_ptr<Loop>> loops_;
  std::vector<std::thread> threads_;
  std::vector<asio::executor_work_guard<asio::io_context::executor_type>> guards_;
  std::unique_ptr<tcp::acceptor> acceptor_;
  std::unique_ptr<asio::steady_timer> pause_;
  uint16_t port_ = 0;

  mutable std::mutex mutex_;
  TlsContext tls_;
  bool stopped_ = false;
};

Status AsioServer::listen() {
  const ServerOptions& options = state_->options;
  if (!options.tls_certificate.empty()) CAIRN_CHECK(reload_certificate());
  boost::system::error_code error;
  const auto address = asio::ip::make_address(options.address, error);
  if (error) return Error{"server: \"" + escaped(options.address) + "\" is no IP address to listen on"};
  const tcp::endpoint endpoint(address, options.port);
  acceptor_->open(endpoint.protocol(), error);
  if (!error) acceptor_->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && address.is_v6()) acceptor_->set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor_->bind(endpoint, error);
  if (!error) acceptor_->listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return Error{"server: cannot listen on " + options.address + " port " + std::to_string(options.port) +
                 ": " + error.message()};
  }
  port_ = acceptor_->local_endpoint(error).port();
  return {};
}

void AsioServer::run() {
  asio::co_spawn(loops_[0]->io, accept(), asio::detached);
  for (const auto& loop : loops_) {
    guards_.push_back(asio::make_work_guard(loop->io));
    threads_.emplace_back([loop] { loop->io.run(); });
  }
}

awaitable<void> AsioServer::accept() {
  for (size_t next = 0; acceptor_->is_open(); next = (next + 1) % loops_.size()) {
    boost::system::error_code error;
    tcp::socket socket(loops_[next]->io);
    co_await acceptor_->async_accept(socket, asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      pause_->expires_after(kAcceptPause);
      co_await pause_->async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    welcome(std::move(socket), loops_[next]);
  }
}

void AsioServer::welcome(tcp::socket socket, const std::shared_ptr<Loop>& loop) {
  std::optional<Arrival> arrival = receive(socket);
  if (!arrival) return;
  // Made on the loop's own thread, which alone may touch it.
  auto shared_socket = std::make_shared<tcp::socket>(std::move(socket));
  auto shared_arrival = std::make_shared<Arrival>(std::move(*arrival));
  asio::post(loop->io, [loop, state = state_, shared_socket, shared_arrival] {
    auto connection =
        std::make_shared<Connection>(loop, state, std::move(*shared_socket), std::move(*shared_arrival));
    asio::co_spawn(
        loop->io, [connection] { return connection->run(); }, asio::detached);
  });
}

// Counts the connection in, or says how it is refused; nullopt: it is closed without a word.
std::optional<Arrival> AsioServer::receive(const tcp::socket& socket) {
  boost::system::error_code error;
  const auto address = unmapped(socket.remote_endpoint(error).address());
  if (error) return std::nullopt;
  ++state_->accepted;
  Arrival arrival;
  arrival.peer = address.to_string();
  arrival.served_from = Clock::now();
  arrival.trusted_proxy = state_->trusted_proxies.contains(arrival.peer);
  if (!admit(arrival, address)) return std::nullopt;
  arrival.tls = new_tls();
  return arrival;
}

bool AsioServer::admit(Arrival& arrival, const asio::ip::address& address) {
  const ServerLimits& limits = state_->options.limits;
  if (!state_->connections.take(1, limits.connections)) {
    arrival.refusal =
        Response::try_later(503, "the server has as many connections as it takes; try again later", 30);
  } else if (!arrival.trusted_proxy) {
    std::string key = peer_key(address);
    const auto now = Clock::now();
    arrival.served_from = state_->peers.pace(key, now);
    if (state_->peers.enter(key)) {
      arrival.peer_key = std::move(key);
    } else {
      state_->connections.give_back(1);
      if (arrival.served_from > now) {  // not worth a word, nor a handshake
        ++state_->refused;
        return false;
      }
      arrival.refusal = Response::try_later(
          429, "your address has " + std::to_string(limits.connections_per_peer) + " connections already",
          10);
    }
  }
  if (!arrival.refusal) return true;
  if (state_->refusals.take(1, kMaxRefusals)) return true;
  ++state_->refused;
  return false;
}

Tls AsioServer::new_tls() {
  const std::lock_guard lock(mutex_);
  if (!tls_) return nullptr;
  Tls tls(SSL_new(tls_.get()));  // keeps the context alive
  if (tls) SSL_set_accept_state(tls.get());
  return tls;
}

Status AsioServer::reload_certificate() {
  if (state_->options.tls_certificate.empty()) return Error{"server: it has no TLS certificate"};
  CAIRN_TRY(TlsContext context, server_context(state_->options.tls_certificate, state_->options.tls_key));
  const std::lock_guard lock(mutex_);
  tls_ = std::move(context);
  return {};
}

void AsioServer::publish(const std::string& channel, const Event& event) {
  if (state_->subscribers.used() == 0) return;
  const auto text = std::make_shared<const std::string>(event_text(event));
  for (const auto& loop : loops_) {
    asio::post(loop->io, [raw = loop.get(), channel, id = event.id, text] {
      const auto found = raw->subscribers.find(channel);
      if (found == raw->subscribers.end()) return;
      for (Connection* connection : found->second) connection->deliver(id, text);
    });
  }
}

ServerCounters AsioServer::counters() const {
  ServerCounters counters;
  counters.connections = state_->accepted;
  counters.open_connections = state_->connections.used();
  counters.requests = state_->requests;
  counters.refused = state_->refused;
  counters.subscribers = state_->subscribers.used();
  counters.dropped_subscribers = state_->dropped_subscribers;
  counters.body_bytes = state_->body_bytes;
  return counters;
}

void AsioServer::on_each_connection(void (Connection::*action)()) {
  for (const auto& loop : loops_) {
    asio::post(loop->io, [raw = loop.get(), action] {
      for (Connection* connection : raw->connections) (connection->*action)();
    });
  }
}

bool AsioServer::wait_for_connections(Clock::time_point deadline) {
  while (state_->connections.used() + state_->refusals.used() > 0) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

void AsioServer::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    state_->stopping = true;
  }
  if (!threads_.empty()) {
    asio::post(loops_[0]->io, [this] {
      boost::system::error_code ignored;
      acceptor_->close(ignored);
      pause_->cancel();
    });
    on_each_connection(&Connection::close_if_idle);
    if (!wait_for_connections(Clock::now() + state_->options.limits.stop_time)) {
      on_each_connection(&Connection::abort);
      wait_for_connections(Clock::time_point::max());
    }
  }
  state_->pool.stop();
  guards_.clear();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace

bool Peers::enter(const std::string& key) {
  const std::lock_guard lock(mutex_);
  Peer& peer = peers_[key];
  if (peer.connections >= limits_.connections_per_peer) return false;
  ++peer.connections;
  return true;
}

void Peers::leave(const std::string& key) {
  const std::lock_guard lock(mutex_);
  --peers_[key].connections;
}

Clock::time_point Peers::pace(const std::string& key, Clock::time_point now) {
  if (limits_.requests_per_second == 0) return now;
  const std::chrono::nanoseconds one(1'000'000'000 / limits_.requests_per_second);
  const std::lock_guard lock(mutex_);
  if (peers_.size() >= forget_at_) forget_idle(now);
  Peer& peer = peers_[key];
  const auto from = std::max(now, peer.due - one * limits_.request_burst);
  // However much it wants, it is served again within seconds of having stopped.
  peer.due = std::min(std::max(now, peer.due) + one, now + one * limits_.request_burst + kLongestDebt);
  return from;
}

// Those who have neither a connection nor a debt.
void Peers::forget_idle(Clock::time_point now) {
  std::erase_if(
      peers_, [now](const auto& known) { return known.second.connections == 0 && known.second.due <= now; });
  forget_at_ = std::max<size_t>(1024, 2 * peers_.size());
}

size_t Peers::known() const {
  const std::lock_guard lock(mutex_);
  return peers_.size();
}

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Router router) {
  CAIRN_CHECK(check_options(options));
  auto server = std::make_unique<AsioServer>(std::move(options), std::move(router));
  CAIRN_CHECK(server->listen());
  server->run();
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace cairn::net
