// cairn: trains neural networks with strangers. Each subcommand has a file of its own.
#include "base/float_environment.h"
#include "cmd/command.h"

namespace {

constexpr const char* kAbout =
    "Cairn trains neural networks with strangers: everybody computes gradients, anybody can check them.";
constexpr const char* kExample =
    "Example, a project of one's own in five commands:\n"
    "  cairn new study --model lenet --data fashion-mnist\n"
    "  cairn user study ada\n"
    "  cairn gradient study --unit 0 --user ada -o ada.gradient\n"
    "  cairn submit study ada.gradient\n"
    "  cairn close study";

void add_shared_options(CLI::App& app, cairn::cmd::Shared& shared) {
  app.add_option("--isa", shared.isa, "Instruction set: auto, list, or one that `--isa list` names")
      ->capture_default_str();
  app.add_option("--threads", shared.threads, "Threads to compute with (0: one for each processor)")
      ->check(CLI::Range(0, 1024));
  app.add_option("--keys", shared.keys,
                 "Folder of private keys (default: cairn/keys in the XDG data directory)");
  app.add_flag("--json", shared.json, "Answer in JSON, for programs");
}

// `--isa list` answers under every subcommand, and alone.
int list_isas() {
  for (const cairn::exact::Isa isa : cairn::exact::supported_isas()) {
    std::printf("%s\n", std::string(cairn::exact::isa_name(isa)).c_str());
  }
  return cairn::cmd::kDone;
}

}  // namespace

int main(int argc, char** argv) {
  cairn::set_float_environment();
  CLI::App app(kAbout, "cairn");
  cairn::cmd::Shared shared;
  app.footer(kExample);
  app.set_version_flag("--version", CAIRN_VERSION);
  add_shared_options(app, shared);
  for (const auto add :
       {cairn::cmd::add_new, cairn::cmd::add_user, cairn::cmd::add_unit, cairn::cmd::add_gradient,
        cairn::cmd::add_submit, cairn::cmd::add_close, cairn::cmd::add_probe, cairn::cmd::add_claim,
        cairn::cmd::add_judge, cairn::cmd::add_appeal, cairn::cmd::add_void, cairn::cmd::add_log,
        cairn::cmd::add_status, cairn::cmd::add_verify, cairn::cmd::add_eval, cairn::cmd::add_export,
        cairn::cmd::add_selftest}) {
    add(app, shared);
  }
  app.parse_complete_callback([&] {
    if (shared.isa == "list") throw CLI::RuntimeError(list_isas());
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A command");
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& end) {
    return end.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? cairn::cmd::kDone : cairn::cmd::kUsage;
  }
  return cairn::cmd::kDone;
}
