// For tests: a small project, hosted in this process, and the people who work on it.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "data/test_files.h"
#include "project/contribution.h"
#include "project/new_project.h"
#include "role/auditor.h"
#include "role/contributor.h"
#include "role/host.h"

namespace cairn::role {

// The value, or the end of the test.
template <typename Result>
auto must(Result result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  if constexpr (requires { result.value(); }) return std::move(result).value();
}

// A folder with the project "study", its keys, and copies that others made of it.
class Workshop {
 public:
  // `settings`: a recipe's tables beyond [training].
  explicit Workshop(const std::string& settings = "") {
    const std::filesystem::path idx = folder_ / "idx";
    std::filesystem::create_directories(idx);
    for (const std::string prefix : {"train", "t10k"}) {
      data::write_plain(idx / (prefix + "-images-idx3-ubyte"), data::idx_images(64, 8, 8));
      data::write_plain(idx / (prefix + "-labels-idx1-ubyte"), data::idx_labels(64, 4));
    }
    const std::string recipe = "[training]\nbatch = 8\n" + settings;
    data::write_plain(folder_ / "recipe.toml", as_bytes(recipe));
    auto ring = keys();
    must(project::create_project(directory(), {"mlp", idx.string(), folder_ / "recipe.toml"}, ring,
                                 system_environment(), {}));
  }

  std::filesystem::path directory() const { return folder_ / "study"; }
  std::filesystem::path path(const std::string& name) const { return folder_ / name; }
  ledger::KeyRing keys() const { return must(ledger::KeyRing::open(folder_ / "keys", directory())); }
  project::Project open(const std::filesystem::path& directory) const {
    return must(project::Project::open(directory, system_environment()));
  }
  SigningKey key(std::string_view name) const {
    return must(project::load_key(keys(), open(directory()), name));
  }

  std::unique_ptr<Host> host(RoundRule rule, const std::filesystem::path& directory) const {
    net::ServerOptions options;
    options.limits.stop_time = std::chrono::milliseconds(200);
    return must(
        Host::start(open(directory), key(project::kCoordinatorKey), system_environment(), rule, options));
  }
  std::unique_ptr<Host> host(RoundRule rule = {.quorum = 2}) const { return host(rule, directory()); }

 private:
  data::TemporaryDirectory folder_;
};

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
  Status contribute(uint32_t units) {
    Contributor contributor(*remote, *replica, *key, {name, engine, units}, system_environment());
    return contributor.run();
  }

  project::Trainer trainer() { return must(project::Trainer::create(replica->project(), engine)); }

  // Hands in a false gradient of the next unit.
  net::Outcome<std::vector<ledger::Receipt>> lie() {
    must(replica->sync());
    const project::Project& project = replica->project();
    const RemoteLease lease = must(remote->take_unit(sign_request(*key, request())));
    work::GradientFile file = must(trainer().gradient(lease.round, lease.unit, {}));
    for (int16_t& value : file.values) value = static_cast<int16_t>(-value);
    return remote->submit(project::encode(must(project::make_submission(project, *key, name, file))));
  }

  UnitRequest request() const {
    UnitRequest request;
    request.project = replica->project().id();
    request.time = system_environment().now();
    return request;
  }

  std::string name;
  project::EngineOptions engine;
  std::unique_ptr<Remote> remote;
  std::unique_ptr<Replica> replica;
  std::unique_ptr<SigningKey> key;
};

}  // namespace cairn::role
