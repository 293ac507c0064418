// Commands and their options as a command line has them. CLI11 stays inside command_line.cc: every file that
// sees its headers takes seconds longer to compile.
//
// Both classes are handles, good for as long as the program parses its command line; one thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cairn::cmd {

class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  const Option& required() const;
  const Option& show_default() const;  // in the help
  const Option& range(int low, int high) const;
  const Option& range(double low, double high) const;
  const Option& size() const;  // of a whole number: bytes, or with a unit, such as 20M or 2G
  const Option& one_of(const std::vector<std::string>& words) const;
  const Option& needs(const Option& other) const;     // makes no sense without the other
  const Option& excludes(const Option& other) const;  // nor beside it

 private:
  CLI::Option* option_;
};

class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  // A command below this one. The footer ends its help.
  Command add_command(const std::string& name, const std::string& summary, const std::string& footer) const;
  void require_command() const;  // one of those below

  // "DIR" for a place in the line, "--round" or "-o,--output" for an option. `value` outlives the parsing. T:
  // a string, a path, a number, or an optional one (command_line.cc lists them).
  template <typename T>
  Option add_option(const std::string& names, T& value, const std::string& help) const;
  Option add_flag(const std::string& name, bool& value, const std::string& help) const;
  // Options of which exactly one is given.
  Command add_choice(const std::string& title) const;

  // Runs after parsing; what it returns is the program's exit code.
  void set_action(std::function<int()> action) const;

 private:
  CLI::App* app_;
};

// Parses and runs one program's line: `describe` adds its options and commands. Help and version go to
// standard output, a wrong line as one sentence (after `escape`) to standard error. `ready` is asked once the
// line is parsed and before any action: a number ends the program with it. Exit codes: cmd/command.h.
struct CommandLine {
  std::string name, about, footer, version;
  std::function<void(Command)> describe;
  std::function<std::pair<bool, int>()> ready;
  std::function<std::string(std::string_view)> escape;

  int run(int argc, char** argv) const;
};

}  // namespace cairn::cmd
