// What every subcommand of `cairn` shares: options, output, progress, exit codes.
//
// Exit codes: 0 done, 1 refused or failed (one sentence on stderr), 2 wrong usage.
#pragma once

#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/progress.h"
#include "base/result.h"
#include "cmd/command_line.h"
#include "exact/backend.h"
#include "project/project.h"
#include "project/trainer.h"

namespace cairn::cmd {

inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;

// Options that every subcommand takes.
struct Shared {
  std::string isa = "auto";
  int threads = 0;      // 0: one for each processor
  uint64_t memory = 0;  // bytes that a model may need; 0: half of this machine's
  std::filesystem::path keys;
  bool json = false;

  Result<project::EngineOptions> engine() const;
  // The user's key ring; refused if it would lie inside the project.
  Result<ledger::KeyRing> key_ring(const std::filesystem::path& project) const;
};

// The user's own key in this project, or an error that says how to get one.
Result<SigningKey> user_key(const Shared& shared, const project::Project& project, const std::string& user);

// The root's key, wherever it has been put in the key ring.
Result<SigningKey> root_key(const Shared& shared, const project::Project& project);
// A public key: 64 hexadecimal digits, or the name of a key in the key ring.
Result<PublicKey> public_key(const Shared& shared, const project::Project& project, const std::string& text);

// A subcommand's work: what it returns is the exit code.
using Action = std::function<Result<int>()>;

// One function for each subcommand: adds it to `app`. `shared` outlives the app.
void add_new(Command app, const Shared& shared);
void add_data(Command app, const Shared& shared);
void add_user(Command app, const Shared& shared);
void add_key(Command app, const Shared& shared);
void add_unit(Command app, const Shared& shared);
void add_gradient(Command app, const Shared& shared);
void add_submit(Command app, const Shared& shared);
void add_close(Command app, const Shared& shared);
void add_probe(Command app, const Shared& shared);
void add_claim(Command app, const Shared& shared);
void add_judge(Command app, const Shared& shared);
void add_appeal(Command app, const Shared& shared);
void add_root(Command app, const Shared& shared);
void add_log(Command app, const Shared& shared);
void add_status(Command app, const Shared& shared);
void add_verify(Command app, const Shared& shared);
void add_evidence(Command app, const Shared& shared);
void add_eval(Command app, const Shared& shared);
void add_export(Command app, const Shared& shared);
void add_host(Command app, const Shared& shared);
void add_join(Command app, const Shared& shared);
void add_invite(Command app, const Shared& shared);
void add_audit(Command app, const Shared& shared);
void add_mirror(Command app, const Shared& shared);
void add_bench(Command app, const Shared& shared);
void add_selftest(Command app, const Shared& shared);

// Adds a subcommand with its help and example; `action` runs after parsing.
Command add_command(Command app, const std::string& name, const std::string& summary,
                    const std::string& example);
// A command of commands: `cairn NAME SUBCOMMAND`, each of which is added to what this returns.
Command add_group(Command app, const std::string& name, const std::string& summary);
void set_action(Command command, Action action);

// A command of a group, about the project DIR; Options has `directory`. The command has room for more
// options.
template <class Options>
struct Verb {
  const char *name, *summary, *example;
  Result<int> (*run)(const Shared&, const Options&);
};
template <class Options>
Command add_verb(Command group, const Shared& shared, const Verb<Options>& verb,
                 const std::shared_ptr<Options>& options) {
  Command command = add_command(group, verb.name, verb.summary, verb.example);
  command.add_option("DIR", options->directory, "The project").required();
  set_action(command, [&shared, options, run = verb.run] { return run(shared, *options); });
  return command;
}

// Prints `json` with --json, `text` otherwise.
void print(const Shared& shared, const Json& json, const std::string& text, std::FILE* stream = stdout);

// A progress line on stderr with the time left: redrawn on a terminal, absent elsewhere. It appears after a
// second and is gone when done. Returns false from the moment that Ctrl-C was pressed.
Progress progress_line(const std::string& what);

// Whether Ctrl-C was pressed or the process was asked to end; a second time ends it at once.
bool interrupted();

// What a project's model takes of memory, as a line: "memory: 653 MiB to compute, or 313 MiB at
// the least, more slowly". Or why it cannot be computed.
std::string memory_text(const project::Project& project);
// And as JSON, as a host gives it.
Json memory_json(const project::Project& project);
// "recomputes 31 % to fit into 512 MiB (without it takes 698 MiB)"; empty where nothing is computed twice.
std::string memory_notice(const project::Trainer& trainer, uint64_t limit);

// A reputation as a JSON number: its exact decimal.
Json number(trust::Reputation reputation);

// "3 entries", "1 entry".
std::string plural(uint64_t count, const std::string& singular, const std::string& several);

// "512 images", or of text "512 pieces of text".
std::string samples(const data::Manifest& manifest, uint64_t count);
// What a model is right or wrong about: "10000 images", or of text "640 tokens".
std::string answers(const data::Manifest& manifest, uint64_t count);

// Escapes control characters, marks that turn the direction of writing and what is no UTF-8, so that a name
// cannot drive the terminal.
std::string printable(std::string_view text);

// A path as a shell wants it: quoted where need be.
std::string shell_word(const std::filesystem::path& path);

}  // namespace cairn::cmd
