// For tests: the people who work on a hosted project.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "project/contribution.h"
#include "role/auditor.h"
#include "role/contributor.h"
#include "role/workshop.h"

namespace cairn::role {

// Somebody with a key, a connection and a copy of the project.
struct Person {
  Person(const Workshop& workshop, const Host& host, const std::string& who) : name(who) {
    remote = must(Remote::open("http://127.0.0.1:" + std::to_string(host.port())));
    replica = must(Replica::open(*remote, workshop.path("cache of " + who), system_environment()));
    const std::filesystem::path file = workshop.path("key of " + who);
    std::array<uint8_t, 32> seed = sha256(as_bytes(who)).bytes;
    key = std::make_unique<SigningKey>(SigningKey::from_seed(seed));
  }

  // Takes and hands in so many units.
  Status contribute(uint32_t units, uint32_t rounds = 0) {
    project::Trainer own = trainer();
    Contributor contributor(*remote, *replica, *key, compute_with(own), {name, units, rounds},
                            system_environment());
    return contributor.run();
  }

  // Follows the log until that round is open: the host averages before, and takes its time.
  void follow_to(trust::Round round) {
    for (int tries = 0; tries < 1000; ++tries) {
      must(replica->sync());
      if (replica->project().state().open_round() >= std::optional(round)) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    throw std::runtime_error("round " + std::to_string(round) + " does not open");
  }

  project::Trainer trainer() { return must(project::Trainer::create(replica->project(), engine)); }

  // Hands in a false gradient of the next unit.
  net::Outcome<std::vector<ledger::Receipt>> lie() {
    must(replica->sync());
    const RemoteLease lease = must(remote->take_unit(sign_request(*key, request())));
    return lie_about(lease.round, lease.unit);
  }
  net::Outcome<std::vector<ledger::Receipt>> lie_without_a_lease() { return lie_about(0, 0); }

  UnitRequest request() const {
    UnitRequest request;
    request.project = replica->project().id();
    request.time = system_environment().now();
    return request;
  }

  net::Outcome<std::vector<ledger::Receipt>> lie_about(trust::Round round, trust::UnitId unit) {
    work::GradientFile file = must(trainer().gradient(round, unit, {}));
    for (int16_t& value : file.values) value = static_cast<int16_t>(-value);
    return remote->submit(
        project::encode(must(project::make_submission(replica->project(), *key, name, file))));
  }

  std::string name;
  project::EngineOptions engine;
  std::unique_ptr<Remote> remote;
  std::unique_ptr<Replica> replica;
  std::unique_ptr<SigningKey> key;
};

}  // namespace cairn::role
