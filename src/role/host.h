// A coordinator with its HTTP server: a hosted project.
#pragma once

#include <memory>

#include "role/coordinator.h"
#include "role/service.h"

namespace cairn::role {

// Safe to call from several threads.
class Host {
 public:
  // The project's coordinator key must be `key`.
  static Result<std::unique_ptr<Host>> start(project::Project project, SigningKey key,
                                             Environment& environment, HostRule rule,
                                             net::ServerOptions options);
  ~Host();

  uint16_t port() const { return server_->port(); }
  Coordinator& coordinator() { return *coordinator_; }
  net::ServerCounters counters() const { return server_->counters(); }
  Status reload_certificate() { return server_->reload_certificate(); }
  void stop();  // finishes what is in flight

 private:
  Host() = default;

  std::unique_ptr<Coordinator> coordinator_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<net::Server> server_;
};

}  // namespace cairn::role
