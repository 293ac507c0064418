// The Client that uses real sockets. Inside this folder only.
#pragma once

#include "net/exchange.h"

namespace cairn::net {

class HttpClient : public Client {
 public:
  HttpClient(ClientOptions options, TlsContext tls, std::optional<Proxy> proxy)
      : options_(std::move(options)), tls_(std::move(tls)), proxy_(std::move(proxy)) {}

  Outcome<ClientResponse> request(Method method, const std::string& target, const Headers& headers,
                                  BytesView body, uint64_t response_limit) override;
  Outcome<void> download(const Download& download) override;
  Outcome<ClientResponse> upload(const Upload& upload) override;
  Outcome<void> events(const std::string& target, const std::optional<std::string>& last_id,
                       const std::function<bool(const ReceivedEvent&)>& callback) override;
  void cancel() override { cancel_.set(); }
  void reset() override { cancel_.clear(); }
  const Url& server() const override { return options_.server; }

 private:
  // Sends the request and reads the head of the response, whatever its status.
  Outcome<std::unique_ptr<Exchange>> start(const Outgoing& outgoing);
  Outcome<ClientResponse> call(const Outgoing& outgoing, uint64_t response_limit);
  Outcome<std::string> head_of(const Outgoing& outgoing, bool expects_continue) const;
  Outcome<void> connect();
  // The failure that a response with this status is; its body is read.
  Failure refusal(Exchange& exchange, const Outgoing& outgoing);
  void settle(const Exchange& exchange);  // keeps the link or gives it up
  void drop_link();

  const ClientOptions options_;
  const TlsContext tls_;
  const std::optional<Proxy> proxy_;
  CancelFlag cancel_;
  std::unique_ptr<Link> link_;
  struct SessionFree {
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  };
  std::unique_ptr<SSL_SESSION, SessionFree> session_;  // of the last TLS connection, to resume
};

}  // namespace cairn::net
