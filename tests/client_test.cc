// Runs client_test.py, which tries examples/client.py on logs that are written here: so Cairn's own code and
// a client in another language have to agree about every byte.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "base/file.h"
#include "ledger/merkle.h"
#include "static_log.h"

namespace cairn::tests {
namespace {

namespace fs = std::filesystem;

constexpr const char* kNoPython = "NOT CHECKED with Python: there is no /usr/bin/python3 (install python3)";

bool has_python() {
  return std::system(
             "/usr/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' >/dev/null 2>&1") == 0;
}

// Runs a script of this folder. Its output, and its exit code.
std::pair<int, std::string> run_script(const std::string& script, const std::string& argument) {
  const std::string command = "/usr/bin/python3 -B '" + std::string(CAIRN_SOURCE_DIR) + "/tests/" + script +
                              "' '" + argument + "' 2>&1";
  FILE* pipe = ::popen(command.c_str(), "r");
  CAIRN_ASSERT(pipe != nullptr);
  std::string output;
  char buffer[4096];
  while (const size_t count = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, count);
  const int status = ::pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, output};
}

// What the client should print of each event, but for the time: index, kind, author and the leaf's hash.
std::string expectation(const StaticLog& log) {
  std::string lines;
  for (size_t i = 0; i < log.events.size(); ++i) {
    const ledger::Event& event = log.events[i];
    lines += std::to_string(i) + "|" + std::to_string(event.time) + "|" +
             std::string(kind_name(event.statement.body)) + "|" + event.statement.author.hex() + "|" +
             ledger::leaf_hash(encode(event)).hex() + "\n";
  }
  return lines;
}

class Client : public ::testing::Test {
 protected:
  Client() {
    std::string name = fs::temp_directory_path() / "cairn-client-XXXXXX";
    CAIRN_ASSERT(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~Client() override { fs::remove_all(folder_); }

  void write_log(const std::string& name, uint64_t size, uint64_t seed) {
    const StaticLog log = write_static_log(folder_ / name, size, seed);
    CAIRN_ASSERT(write_file(folder_ / (name + ".vkey"), as_bytes(encode_vkey(log.key))).ok());
    CAIRN_ASSERT(write_file(folder_ / (name + ".events"), as_bytes(expectation(log))).ok());
  }

  fs::path folder_;
};

TEST_F(Client, InPythonReadsLogsAndRefusesFalseOnes) {
  if (!has_python()) GTEST_SKIP() << kNoPython;
  write_log("one", 1, 1);
  write_log("full", 256, 2);
  write_log("some", 700, 3);
  write_log("other", 700, 4);
  const auto [code, output] = run_script("client_test.py", folder_);
  EXPECT_EQ(code, 0) << output;
}

TEST_F(Client, OpenApiDescribesEveryResource) {
  if (!has_python()) GTEST_SKIP() << kNoPython;
  const auto [code, output] = run_script("openapi_test.py", "");
  EXPECT_EQ(code, 0) << output;
  if (code == 0 && output.find("no PyYAML") != std::string::npos) {
    GTEST_SKIP()
        << "openapi.yaml was read by line only: /usr/bin/python3 has no PyYAML (install python3-yaml)";
  }
}

}  // namespace
}  // namespace cairn::tests
