#include "role/host.h"

namespace cairn::role {

Result<std::unique_ptr<Host>> Host::start(project::Project project, SigningKey key, Environment& environment,
                                          HostRule rule, net::ServerOptions options) {
  if (project.state().coordinator() != key.public_key()) {
    return Error{"key: is not the coordinator's in this project"};
  }
  std::unique_ptr<Host> host(new Host);
  host->coordinator_ = std::make_unique<Coordinator>(std::move(project), std::move(key), environment, rule);
  host->service_ = std::make_unique<Service>(*host->coordinator_, environment);
  CAIRN_TRY(host->server_, net::Server::start(std::move(options),
                                              [service = host->service_.get()](const net::Request& head) {
                                                return service->route(head);
                                              }));
  host->coordinator_->on_news([server = host->server_.get()](const Coordinator::News& news) {
    server->publish(std::string(kNewsChannel), Service::event(news));
  });
  host->coordinator_->start();
  return host;
}

Host::~Host() {
  stop();
}

// The server first: what it still has in flight needs the coordinator's answers.
void Host::stop() {
  if (server_) server_->stop();
  if (coordinator_) coordinator_->stop();
}

}  // namespace cairn::role
