#include "cmd/command_line.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>

#include "cmd/command.h"

namespace cairn::cmd {
namespace {

// One sentence, which names the command whose help explains it.
std::string usage_error(const CLI::App* app, const CLI::Error& error,
                        const std::function<std::string(std::string_view)>& escape) {
  const std::string program = app->get_name();
  std::string name = program;
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().back();
    name += " " + app->get_name();
  }
  return program + ": " + escape(error.what()) + "; see `" + name + " --help`\n";
}

}  // namespace

const Option& Option::required() const {
  option_->required();
  return *this;
}

const Option& Option::show_default() const {
  option_->capture_default_str();
  return *this;
}

const Option& Option::range(int low, int high) const {
  option_->check(CLI::Range(low, high));
  return *this;
}

const Option& Option::range(double low, double high) const {
  option_->check(CLI::Range(low, high));
  return *this;
}

const Option& Option::size() const {
  option_->transform(CLI::AsSizeValue(false));  // K is 1024
  return *this;
}

const Option& Option::one_of(const std::vector<std::string>& words) const {
  option_->check(CLI::IsMember(words));
  return *this;
}

const Option& Option::needs(const Option& other) const {
  option_->needs(other.option_);
  return *this;
}

const Option& Option::excludes(const Option& other) const {
  option_->excludes(other.option_);
  return *this;
}

Command Command::add_command(const std::string& name, const std::string& summary,
                             const std::string& footer) const {
  CLI::App* command = app_->add_subcommand(name, summary);
  command->footer(footer);
  command->fallthrough();
  return Command(command);
}

void Command::require_command() const {
  app_->require_subcommand(1);
}

template <typename T>
Option Command::add_option(const std::string& names, T& value, const std::string& help) const {
  return Option(app_->add_option(names, value, help));
}

template Option Command::add_option(const std::string&, std::string&, const std::string&) const;
template Option Command::add_option(const std::string&, std::filesystem::path&, const std::string&) const;
template Option Command::add_option(const std::string&, int&, const std::string&) const;
template Option Command::add_option(const std::string&, uint32_t&, const std::string&) const;
template Option Command::add_option(const std::string&, uint64_t&, const std::string&) const;
template Option Command::add_option(const std::string&, double&, const std::string&) const;
template Option Command::add_option(const std::string&, std::optional<uint32_t>&, const std::string&) const;
template Option Command::add_option(const std::string&, std::optional<uint64_t>&, const std::string&) const;
template Option Command::add_option(const std::string&, std::vector<std::string>&, const std::string&) const;

Option Command::add_flag(const std::string& name, bool& value, const std::string& help) const {
  return Option(app_->add_flag(name, value, help));
}

Command Command::add_choice(const std::string& title) const {
  CLI::Option_group* group = app_->add_option_group(title);
  group->require_option(1);
  return Command(group);
}

void Command::set_action(std::function<int()> action) const {
  app_->callback([action = std::move(action)] {
    if (const int code = action(); code != kDone) throw CLI::RuntimeError(code);
  });
}

int CommandLine::run(int argc, char** argv) const {
  CLI::App app(about, name);
  app.footer(footer);
  app.failure_message(
      [this](const CLI::App* failed, const CLI::Error& error) { return usage_error(failed, error, escape); });
  app.set_version_flag("--version", version);
  describe(Command(&app));
  app.parse_complete_callback([&] {
    if (const auto [ends, code] = ready(); ends) throw CLI::RuntimeError(code);
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A command");
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& end) {
    return end.get_exit_code();
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  return kDone;
}

}  // namespace cairn::cmd
