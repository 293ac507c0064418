#include "cmd/run.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <new>

#include "base/float_environment.h"
#include "base/static_program.h"
#include "cmd/command.h"

namespace cairn::cmd {
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

void add_shared_options(Command app, Shared& shared) {
  app.add_option("--isa", shared.isa, "Instruction set: auto, list, or one that `--isa list` names")
      .show_default();
  app.add_option("--threads", shared.threads, "Threads to compute with (0: one for each processor)")
      .range(0, 1024);
  app.add_option(
         "--memory", shared.memory,
         "Memory that a model may take, such as 2G (default: half of this machine's); with little, what is "
         "computed is computed again, which takes time and changes no bit")
      .size();
  app.add_option("--keys", shared.keys,
                 "Folder of private keys (default: cairn/keys in the XDG data directory)");
  app.add_flag("--json", shared.json, "Answer in JSON, for programs");
}

// `--isa list` answers under every subcommand, and alone.
int list_isas() {
  for (const exact::Isa isa : exact::supported_isas()) {
    std::printf("%s\n", std::string(exact::isa_name(isa)).c_str());
  }
  return kDone;
}

void add_everything(Command app, const Shared& shared) {
  for (const auto add :
       {add_new,    add_data,   add_user,   add_key,      add_unit,    add_gradient, add_submit,
        add_close,  add_probe,  add_claim,  add_judge,    add_appeal,  add_root,     add_log,
        add_status, add_verify, add_eval,   add_bench,    add_export,  add_host,     add_invite,
        add_join,   add_audit,  add_mirror, add_selftest, add_evidence}) {
    add(app, shared);
  }
}

int parse_and_run(const Program& program, int argc, char** argv) {
  Shared shared;
  CommandLine line{program.name, program.about, program.example, CAIRN_VERSION, {}, {}, printable};
  line.describe = [&](Command app) {
    add_shared_options(app, shared);
    program.add_commands(app, shared);
  };
  line.ready = [&shared] {
    return shared.isa == "list" ? std::pair(true, list_isas()) : std::pair(false, 0);
  };
  return line.run(argc, argv);
}

}  // namespace

int run_program(const Program& program, int argc, char** argv) {
  stay_within_static_program();
  set_float_environment();
  std::signal(SIGXFSZ, SIG_IGN);  // a file that grows too large is an error to report, not an end
  try {
    const int code = parse_and_run(program, argc, argv);
    if (std::fflush(stdout) == 0) return code;
    std::fputs("cairn: standard output: cannot be written to\n", stderr);
  } catch (const std::bad_alloc&) {
    std::fputs("cairn: memory: there is not enough of it for this\n", stderr);
  } catch (const std::exception& error) {  // standard output is full or closed, for one
    std::fprintf(stderr, "cairn: %s\n", error.what());
  }
  return kFailed;
}

int run(int argc, char** argv) {
  return run_program({"cairn", kAbout, kExample, add_everything}, argc, argv);
}

}  // namespace cairn::cmd
