#include "bench/net_swarm.h"

#include <fmt/format.h>

#include <cstdlib>
#include <exception>
#include <nlohmann/json.hpp>
#include <thread>

#include "ledger/receipt.h"

namespace cairn::bench {

using role::must;

Facts facts_of(const project::Project& project) {
  Facts facts;
  facts.project = project.id();
  facts.coordinator = project.state().coordinator();
  facts.seen = project.head();
  facts.samples = static_cast<uint32_t>(project.recipe().unit_images());
  facts.bits = static_cast<uint8_t>(project.recipe().bits);
  facts.block_size = static_cast<uint32_t>(project.recipe().block_size);
  facts.parameters = model::parameter_count(project.graph());
  return facts;
}

std::unique_ptr<role::Host> roomy_host(const role::Workshop& workshop, role::HostRule rule,
                                       net::ServerOptions options) {
  options.limits.connections_per_peer = options.limits.connections;
  options.limits.queued_work = options.limits.connections;
  options.limits.requests_per_second = 0;
  return workshop.host(rule, workshop.directory(), std::move(options));
}

Snapshots::Snapshots(const std::string& url) {
  net::ClientOptions options;
  options.server = must(net::parse_url(url));
  client_ = must(net::Client::open(options));
}

Digest Snapshots::of(trust::Round round) {
  const std::lock_guard lock(mutex_);
  const auto found = known_.find(round);
  if (found != known_.end()) return found->second;
  const net::ClientResponse answer = must(client_->get("/v1/project"));
  const auto json = nlohmann::json::parse(answer.body);
  if (json["round"].is_number()) {
    known_[json["round"].get<trust::Round>()] = must(Digest::from_hex(json["snapshot"].get<std::string>()));
  }
  return known_.contains(round) ? known_[round] : Digest{};
}

MadeUpContributor::MadeUpContributor(const Facts& facts, const std::string& url, int number,
                                     net::ClientOptions options)
    : facts_(facts),
      remote_(must(role::Remote::open(url, std::move(options)))),
      key_(SigningKey::generate()),
      name_("contributor-" + std::to_string(number)) {}

role::UnitRequest MadeUpContributor::request() const {
  role::UnitRequest request;
  request.project = facts_.project;
  request.time = system_environment().now();
  return request;
}

net::Outcome<role::RemoteLease> MadeUpContributor::lease() {
  return remote_->take_unit(role::sign_request(key_, request()));
}

Bytes MadeUpContributor::lease_request() const {
  return role::encode(role::sign_request(key_, request()));
}

role::UnitRequest MadeUpContributor::request_about(role::UnitRequest::Kind kind, trust::UnitId unit) const {
  role::UnitRequest about = request();
  about.kind = kind;
  about.unit = unit;
  return role::sign_request(key_, about);
}

void MadeUpContributor::give_back(trust::UnitId unit) {
  must(remote_->return_unit(request_about(role::UnitRequest::Kind::give_back, unit)));
}

// The same for everybody who has this unit, as a true gradient would be.
work::GradientFile made_up_gradient(const Facts& facts, const role::RemoteLease& lease,
                                    const Digest& snapshot) {
  work::GradientFile file;
  file.project = facts.project;
  file.snapshot = snapshot;
  file.round = lease.round;
  file.unit = lease.unit;
  file.samples = facts.samples;
  file.loss = 1;
  file.bits = facts.bits;
  file.block_size = facts.block_size;
  file.parameters = static_cast<uint32_t>(facts.parameters);
  file.exponents.assign((facts.parameters + facts.block_size - 1) / facts.block_size, -20);
  for (uint64_t i = 0; i < facts.parameters; ++i) {
    file.values.push_back(static_cast<int16_t>((i + lease.unit * 17) * 2654435761u % 4294967291u % 100 + 1));
  }
  return file;
}

project::Submission MadeUpContributor::submission(const role::RemoteLease& lease,
                                                  const Digest& snapshot) const {
  const auto sign = [this](ledger::Body body) {
    return ledger::sign_statement(key_, facts_.project, facts_.seen, std::move(body));
  };
  project::Submission submission;
  const Bytes file = work::encode(made_up_gradient(facts_, lease, snapshot));
  submission.gradient = must(work::pack_gradient(file));
  if (!joined_) {
    submission.joined = sign(ledger::Joined{});
    submission.named = sign(ledger::NameChosen{sha256(as_bytes(name_))});
    submission.name = name_;
  }
  const Digest digest = sha256(file);
  const Digest seal = ledger::entry_seal(facts_.project, key_.public_key(), lease.round, lease.unit, digest);
  submission.sealed = sign(ledger::EntrySealed{lease.round, lease.unit, seal});
  submission.opened = sign(ledger::EntryOpened{seal, digest});
  return submission;
}

net::Outcome<void> MadeUpContributor::hand_in(const project::Submission& submission) {
  const auto ticket = [&] {
    return request_about(role::UnitRequest::Kind::upload,
                         std::get<ledger::EntrySealed>(submission.sealed.body).unit);
  };
  CAIRN_TRY(const std::vector<ledger::Receipt> receipts, remote_->submit(submission, ticket));
  if (receipts.empty()) return Error{"no receipt came"};
  CAIRN_CHECK(ledger::check_receipt(receipts.back(), facts_.project, facts_.coordinator, submission.sealed));
  joined_ = true;
  return {};
}

void in_parallel(int count, const std::function<void(int)>& work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      try {
        work(i);
      } catch (const std::exception& error) {
        // The others may wait for this one at a barrier, and a measure without it would be none.
        fmt::print(stderr, "bench: {}\n", error.what());
        std::_Exit(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace cairn::bench
