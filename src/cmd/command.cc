#include "cmd/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>

#include "base/threads.h"
#include "project/contribution.h"

namespace cairn::cmd {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void on_interrupt(int) {
  interrupted = 1;
}

// The first Ctrl-C asks the work to stop and clean up; the second ends the process.
void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

class ProgressLine {
 public:
  explicit ProgressLine(std::string what) : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() { erase(); }

  bool update(uint64_t done, uint64_t total) {
    if (terminal_) draw(done, total);
    return interrupted == 0;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void draw(uint64_t done, uint64_t total) {
    const auto now = Clock::now();
    const double elapsed = std::chrono::duration<double>(now - started_).count();
    if (done >= total) return erase();
    if (elapsed < 1 || now - drawn_ < std::chrono::milliseconds(100)) return;
    drawn_ = now;
    const double left =
        done == 0 ? 0 : elapsed * static_cast<double>(total - done) / static_cast<double>(done);
    const std::string time = done == 0 ? "" : fmt::format(", about {:.0f} s left", left);
    fmt::print(stderr, "\r\033[K{}: {} %{}", what_, total == 0 ? 0 : 100 * done / total, time);
    std::fflush(stderr);
    visible_ = true;
  }

  void erase() {
    if (visible_) fmt::print(stderr, "\r\033[K");
    visible_ = false;
  }

  std::string what_;
  bool terminal_;
  bool visible_ = false;
  Clock::time_point started_ = Clock::now();
  Clock::time_point drawn_{};
};

}  // namespace

Result<project::EngineOptions> Shared::engine() const {
  CAIRN_TRY(const exact::Isa chosen, exact::isa_from_name(isa));
  const std::vector<exact::Isa> supported = exact::supported_isas();
  if (std::find(supported.begin(), supported.end(), chosen) == supported.end()) {
    return Error{"--isa " + isa + ": this processor does not run it; --isa list names those that it runs"};
  }
  return project::EngineOptions{chosen, threads > 0 ? threads : hardware_threads()};
}

Result<ledger::KeyRing> Shared::key_ring(const std::filesystem::path& project) const {
  std::filesystem::path directory = keys;
  if (directory.empty()) {
    CAIRN_TRY(directory, ledger::KeyRing::default_directory());
  }
  return ledger::KeyRing::open(directory, project);
}

Result<SigningKey> user_key(const Shared& shared, const project::Project& project, const std::string& user) {
  CAIRN_CHECK(project::check_user_name(user));
  CAIRN_TRY(const ledger::KeyRing ring, shared.key_ring(project.directory()));
  auto key = project::load_key(ring, project, user);
  if (!key) {
    return Error{key.error().message + "; `cairn user " + project.directory().string() + " " + user +
                 "` makes one"};
  }
  return key;
}

CLI::App* add_command(CLI::App& app, const std::string& name, const std::string& summary,
                      const std::string& example) {
  CLI::App* command = app.add_subcommand(name, summary);
  command->footer("Also --isa, --threads, --keys and --json: see `cairn --help`.\n\nExample:\n  " + example);
  command->fallthrough();
  return command;
}

void set_action(CLI::App* command, Action action) {
  command->callback([action = std::move(action)] {
    catch_interrupts();
    const Result<int> result = action();
    if (!result) fmt::print(stderr, "cairn: {}\n", printable(result.error().message));
    const int code = result ? *result : kFailed;
    if (code != kDone) throw CLI::RuntimeError(code);
  });
}

void print(const Shared& shared, const Json& json, const std::string& text) {
  if (shared.json) {
    fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}", text);
  }
}

Progress progress_line(const std::string& what) {
  auto line = std::make_shared<ProgressLine>(what);
  return [line](uint64_t done, uint64_t total) { return line->update(done, total); };
}

Json number(trust::Reputation reputation) {
  return Json::parse(trust::to_decimal(reputation));
}

std::string plural(uint64_t count, const std::string& singular, const std::string& several) {
  return fmt::format("{} {}", count, count == 1 ? singular : several);
}

std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result;
}

}  // namespace cairn::cmd
