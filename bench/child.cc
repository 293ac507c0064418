#include "bench/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

extern char** environ;  // NOLINT: POSIX names it

namespace cairn::bench {

Child start(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe: no descriptors left");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  Child child;
  child.output = ends[0];
  const int failed = posix_spawn(&child.id, words[0].c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failed != 0) throw std::runtime_error(words[0] + ": could not be started");
  return child;
}

Child start_self(const std::vector<std::string>& options) {
  std::vector<std::string> words = {"/proc/self/exe"};
  words.insert(words.end(), options.begin(), options.end());
  return start(std::move(words));
}

std::string read_line(const Child& child) {
  std::string line;
  for (char c; read(child.output, &c, 1) == 1 && c != '\n';) line += c;
  if (line.empty()) throw std::runtime_error("a child process ended without a word");
  return line;
}

void end(const Child& child) {
  kill(child.id, SIGTERM);
  waitpid(child.id, nullptr, 0);
  close(child.output);
}

// Fields 14 and 15 of proc(5), counted after the name, which ends with the last parenthesis.
double processor_seconds_of(const Child& child) {
  std::ifstream file("/proc/" + std::to_string(child.id) + "/stat");
  std::string line;
  std::getline(file, line);
  std::string_view rest = std::string_view(line).substr(line.rfind(')') + 2);
  for (int field = 3; field < 14; ++field) rest.remove_prefix(rest.find(' ') + 1);
  const auto second = rest.substr(rest.find(' ') + 1);
  const double ticks = std::stod(std::string(rest)) + std::stod(std::string(second));
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::string beside_self(const std::string& name) {
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / name).string();
}

}  // namespace cairn::bench
