#include "cmd/command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <utility>

#include "base/threads.h"
#include "project/contribution.h"

namespace cairn::cmd {
namespace {

volatile std::sig_atomic_t interrupt_seen = 0;

void on_interrupt(int) {
  interrupt_seen = 1;
}

// The first Ctrl-C asks the work to stop and clean up; the second ends the process.
void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// Bytes of the UTF-8 character that the text starts with; 0 if it starts with none (RFC 3629).
size_t character_size(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const size_t size = first < 0x80   ? 1
                      : first < 0xc2 ? 0
                      : first < 0xe0 ? 2
                      : first < 0xf0 ? 3
                      : first < 0xf5 ? 4
                                     : 0;
  if (size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool outside = (first == 0xed && byte(1) >= 0xa0) || (first == 0xf4 && byte(1) >= 0x90);
  return overlong || outside ? 0 : size;
}

// Control characters (C0, DEL, C1) and those that turn the direction of writing.
bool drives_terminals(std::string_view character) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(character[i]); };
  if (character.size() == 1) return byte(0) < 0x20 || byte(0) == 0x7f;
  if (character.size() == 2) return byte(0) == 0xc2 && byte(1) < 0xa0;
  if (character.size() != 3 || byte(0) != 0xe2) return false;
  if (byte(1) == 0x80) return byte(2) == 0x8e || byte(2) == 0x8f || (byte(2) >= 0xa8 && byte(2) <= 0xae);
  return byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9;
}

class ProgressLine {
 public:
  explicit ProgressLine(std::string what) : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() { erase(); }

  bool update(uint64_t done, uint64_t total) {
    if (terminal_) draw(done, total);
    return interrupt_seen == 0;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void draw(uint64_t done, uint64_t total) {
    const auto now = Clock::now();
    if (done < std::exchange(done_, done)) started_ = now;  // the next of several steps
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
  uint64_t done_ = 0;
  Clock::time_point started_ = Clock::now();
  Clock::time_point drawn_{};
};

uint64_t half_of_memory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || size <= 0) return uint64_t{4} << 30;
  return static_cast<uint64_t>(pages) * static_cast<uint64_t>(size) / 2;
}

}  // namespace

bool interrupted() {
  return interrupt_seen != 0;
}

Result<project::EngineOptions> Shared::engine() const {
  CAIRN_TRY(const exact::Isa chosen, exact::isa_from_name(isa));
  const std::vector<exact::Isa> supported = exact::supported_isas();
  if (std::find(supported.begin(), supported.end(), chosen) == supported.end()) {
    return Error{"--isa " + isa + ": this processor does not run it; --isa list names those that it runs"};
  }
  return project::EngineOptions{chosen, threads > 0 ? threads : hardware_threads(),
                                memory > 0 ? memory : half_of_memory()};
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
  const trust::KeyOwner* owner = project.state().owner(key->public_key());
  if (owner != nullptr && owner->retired) {
    return Error{
        "user " + user + ": the key in " + ring.directory().string() +
        " signs nothing any more: it was replaced or its device removed; `cairn key list` shows others"};
  }
  return key;
}

Result<SigningKey> root_key(const Shared& shared, const project::Project& project) {
  CAIRN_TRY(const ledger::KeyRing ring, shared.key_ring(project.directory()));
  return project::load_role_key(ring, project, project::kRootKey, project.genesis().root);
}

Result<PublicKey> public_key(const Shared& shared, const project::Project& project, const std::string& text) {
  if (auto key = PublicKey::from_hex(text)) return key;
  CAIRN_TRY(const ledger::KeyRing ring, shared.key_ring(project.directory()));
  if (const auto key = project::load_key(ring, project, text)) return key->public_key();
  return Error{"key " + text + ": is neither 64 hexadecimal digits nor the name of a key in " +
               ring.directory().string()};
}

Command add_command(Command app, const std::string& name, const std::string& summary,
                    const std::string& example) {
  return app.add_command(
      name, summary,
      "Also --isa, --threads, --memory, --keys and --json: see `cairn --help`.\n\nExample:\n  " + example);
}

Command add_group(Command app, const std::string& name, const std::string& summary) {
  const Command group =
      app.add_command(name, summary, "Each has --help with an example: cairn " + name + " COMMAND --help");
  group.require_command();
  return group;
}

void set_action(Command command, Action action) {
  command.set_action([action = std::move(action)] {
    catch_interrupts();
    const Result<int> result = action();
    if (!result) fmt::print(stderr, "cairn: {}\n", printable(result.error().message));
    return result ? *result : kFailed;
  });
}

void print(const Shared& shared, const Json& json, const std::string& text, std::FILE* stream) {
  if (shared.json) {
    fmt::print(stream, "{}\n", json.pretty());
  } else {
    fmt::print(stream, "{}", text);
  }
}

Progress progress_line(const std::string& what) {
  auto line = std::make_shared<ProgressLine>(what);
  return [line](uint64_t done, uint64_t total) { return line->update(done, total); };
}

std::string memory_text(const project::Project& project) {
  const auto& need = project.memory_need();
  if (!need) return "memory: the model cannot be computed: " + printable(need.error().message) + "\n";
  if (need->least == need->roomy) return "memory: " + model::mib_text(need->roomy) + " to compute\n";
  return fmt::format("memory: {} to compute, or {} at the least, more slowly\n", model::mib_text(need->roomy),
                     model::mib_text(need->least));
}

Json memory_json(const project::Project& project) {
  const auto& need = project.memory_need();
  if (!need) return nullptr;
  return {{"least", need->least}, {"roomy", need->roomy}};
}

std::string memory_notice(const project::Trainer& trainer, uint64_t limit) {
  const model::MemoryPlan plan = trainer.network().memory_plan();
  if (plan.again_permille == 0) return "";
  return fmt::format("recomputes {:.1f} % to fit into {} MiB: with {} nothing would be computed twice",
                     static_cast<double>(plan.again_permille) / 10, limit >> 20,
                     model::mib_text(plan.roomy_total));
}

Json number(trust::Reputation reputation) {
  return Json::literal(trust::to_decimal(reputation));
}

std::string plural(uint64_t count, const std::string& singular, const std::string& several) {
  return fmt::format("{} {}", count, count == 1 ? singular : several);
}

std::string samples(const data::Manifest& manifest, uint64_t count) {
  if (manifest.kind == data::Kind::text) return plural(count, "piece of text", "pieces of text");
  return plural(count, "image", "images");
}

std::string answers(const data::Manifest& manifest, uint64_t count) {
  return manifest.kind == data::Kind::text ? plural(count, "token", "tokens") : samples(manifest, count);
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const size_t size = character_size(text);
    const std::string_view character = text.substr(0, std::max<size_t>(1, size));
    if (size != 0 && !drives_terminals(character)) {
      result += character;
    } else {
      for (const char c : character) result += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
    text.remove_prefix(character.size());
  }
  return result;
}

std::string shell_word(const std::filesystem::path& path) {
  static constexpr std::string_view kPlain = "/-_.,:+@%=";
  const std::string text = printable(path.string());
  const bool plain = !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kPlain.find(c) != std::string_view::npos;
  });
  if (plain) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace cairn::cmd
