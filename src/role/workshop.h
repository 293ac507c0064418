// For tests and benchmarks: a small project, hosted in this process. Needs no test framework.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "data/sample_files.h"
#include "project/new_project.h"
#include "role/host.h"

namespace cairn::role {

// The value, or an exception: the end of a test.
template <typename Result>
auto must(Result result) {
  if (!result.ok()) throw std::runtime_error(result.error().message);
  if constexpr (requires { result.value(); }) return std::move(result).value();
}

// A folder with the project "study", its keys, and copies that others made of it.
class Workshop {
 public:
  // `settings`: a recipe's tables beyond [training]. Images have so many pixels in each direction.
  explicit Workshop(const std::string& settings = "", uint32_t pixels = 8) {
    const std::filesystem::path idx = folder_ / "idx";
    std::filesystem::create_directories(idx);
    for (const std::string prefix : {"train", "t10k"}) {
      data::write_plain(idx / (prefix + "-images-idx3-ubyte"), data::idx_images(64, pixels, pixels));
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

  std::unique_ptr<Host> host(HostRule rule, const std::filesystem::path& directory,
                             net::ServerOptions options = {}) const {
    options.limits.stop_time = std::chrono::milliseconds(200);
    return must(
        Host::start(open(directory), key(project::kCoordinatorKey), system_environment(), rule, options));
  }
  std::unique_ptr<Host> host(HostRule rule = {.quorum = 2}) const { return host(rule, directory()); }

 private:
  data::TemporaryDirectory folder_;
};

}  // namespace cairn::role
