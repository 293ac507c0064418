// cairn evidence: checks a file that is said to convict a coordinator.
#include "ledger/evidence.h"

#include <fmt/format.h>

#include "base/file.h"
#include "cmd/command.h"

namespace cairn::cmd {
namespace {

struct Options {
  std::filesystem::path file;
};

Result<ledger::Conviction> check(const Options& options) {
  CAIRN_TRY(const Bytes bytes, read_file(options.file, ledger::kMaxEvidenceSize));
  CAIRN_TRY(const ledger::Evidence evidence, ledger::decode_evidence(bytes));
  auto conviction = ledger::check_evidence(evidence);
  if (!conviction) return conviction.error().within("this convicts nobody");
  return conviction;
}

Result<int> run(const Shared& shared, const Options& options) {
  const auto conviction = check(options);
  if (!conviction) return conviction.error().within(options.file.string());
  const std::string project = conviction->project.hex(), key = to_hex(conviction->coordinator.bytes);
  print(shared,
        Json{{"evidence", "valid"}, {"project", project}, {"coordinator", key}, {"lie", conviction->lie}},
        fmt::format("the coordinator {}\n  project {}\n  its key {}\n", conviction->lie, project, key));
  return kDone;
}

}  // namespace

void add_evidence(Command app, const Shared& shared) {
  const Command command = add_command(app, "evidence", "Check a file that convicts a project's coordinator",
                                      "cairn evidence evidence-4f2a8c1d99e0b376");
  auto options = std::make_shared<Options>();
  command.add_option("FILE", options->file, "What a client wrote that noticed a lie").required();
  set_action(command, [&shared, options] { return run(shared, *options); });
}

}  // namespace cairn::cmd
