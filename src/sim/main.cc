// cairn-forge: what a cheater would use. Takes a submission, makes its gradient false, signs it again.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/file.h"
#include "project/contribution.h"
#include "sim/attack.h"

namespace {

using namespace cairn;

struct Options {
  std::filesystem::path directory, input, output, keys;
  std::string user, attack = "sign-flip";
  uint64_t seed = 1;
};

Status forge(const Options& options) {
  CAIRN_TRY(const sim::Attack attack, sim::attack_from_name(options.attack));
  CAIRN_TRY(const auto project, project::Project::open(options.directory, system_environment()));
  CAIRN_TRY(const std::filesystem::path home, ledger::KeyRing::default_directory());
  CAIRN_TRY(const auto keys,
            ledger::KeyRing::open(options.keys.empty() ? home : options.keys, options.directory));
  CAIRN_TRY(const SigningKey key, project::load_key(keys, project, options.user));
  const uint64_t limit = project::max_submission_size(model::parameter_count(project.graph()));
  CAIRN_TRY(const Bytes bytes, read_file(options.input, limit));
  CAIRN_TRY(const project::Submission honest, project::decode_submission(bytes));
  CAIRN_TRY(const work::GradientFile truth, work::decode_gradient_file(honest.gradient));
  const work::GradientFile lie = sim::falsify(truth, attack, options.seed);
  CAIRN_TRY(const project::Submission forged, project::make_submission(project, key, options.user, lie));
  return write_file(options.output, project::encode(forged));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Makes a submission false, for tests and demonstrations", "cairn-forge");
  Options options;
  app.add_option("DIR", options.directory, "The project")->required();
  app.add_option("FILE", options.input, "An honest submission")->required();
  app.add_option("-o,--output", options.output, "File to write")->required();
  app.add_option("--user", options.user, "Who signs it")->required();
  app.add_option("--attack", options.attack, "sign-flip, noise, scale or zero")->capture_default_str();
  app.add_option("--seed", options.seed, "Of the noise")->capture_default_str();
  app.add_option("--keys", options.keys, "Folder of private keys");
  CLI11_PARSE(app, argc, argv);
  const Status status = forge(options);
  if (!status) fmt::print(stderr, "cairn-forge: {}\n", status.error().message);
  return status ? 0 : 1;
}
