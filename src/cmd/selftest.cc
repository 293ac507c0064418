#include <fmt/format.h>

#include "cmd/command.h"
#include "exact/signature.h"

namespace cairn::cmd {
namespace {

Result<int> run(const Shared& shared) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  ThreadPool pool(engine.threads);
  const auto backend = exact::make_backend(engine.isa, pool);
  const auto sections = exact::selftest_signatures(*backend);
  const Digest signature = exact::combined_signature(sections);
  const bool sound = signature == exact::expected_signature();

  Json json = {{"isa", exact::isa_name(engine.isa)}, {"arithmetic_version", exact::kArithmeticVersion}};
  std::string text =
      fmt::format("arithmetic version {} on {}\n", exact::kArithmeticVersion, exact::isa_name(engine.isa));
  for (const auto& section : sections) {
    json["sections"][section.name] = section.digest.hex();
    text += fmt::format("{:<16} {}\n", section.name, section.digest.hex());
  }
  json["sound"] = sound;
  json["signature"] = signature.hex();
  print(shared, json, text + fmt::format("signature: {}\n", signature.hex()));
  if (!sound) {
    return Error{"this machine computes other bits than every sound one; do not contribute with it"};
  }
  return kDone;
}

}  // namespace

void add_selftest(Command app, const Shared& shared) {
  Command command =
      add_command(app, "selftest", "Check that this machine computes the same bits as every other",
                  "cairn selftest --isa avx2");
  set_action(command, [&shared] { return run(shared); });
}

}  // namespace cairn::cmd
