#include "program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "base/philox.h"

namespace cairn::tests {
namespace {

std::string slurp(const std::filesystem::path& path) {
  const auto bytes = read_file(path, uint64_t{1} << 28);
  return bytes ? std::string(bytes->begin(), bytes->end()) : "";
}

void redirect(const std::filesystem::path& path, int target) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(fd, target);
  ::close(fd);
}

void put_big_endian(Bytes& bytes, uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<uint8_t>(value >> shift));
}

void write_idx_pair(const std::filesystem::path& folder, const std::string& prefix, uint32_t count,
                    uint32_t seed) {
  constexpr uint32_t kSize = 28;
  Bytes images, labels;
  put_big_endian(images, 0x00000803);
  for (uint32_t value : {count, kSize, kSize}) put_big_endian(images, value);
  put_big_endian(labels, 0x00000801);
  put_big_endian(labels, count);
  const RandomSequence random(seed, RandomStream::augmentation);
  for (uint32_t i = 0; i < count; ++i) {
    const uint8_t label = static_cast<uint8_t>(i % 10);
    labels.push_back(label);
    // A bright bar whose row tells the class, over noise.
    for (uint32_t p = 0; p < kSize * kSize; ++p) {
      const bool bar = p / kSize / 2 == label + 2u;
      const uint32_t noise = random.at(i * 1024 + p)[0] % 64;
      images.push_back(static_cast<uint8_t>((bar ? 160 : 0) + noise));
    }
  }
  ASSERT_TRUE(write_file(folder / (prefix + "-images-idx3-ubyte"), images));
  ASSERT_TRUE(write_file(folder / (prefix + "-labels-idx1-ubyte"), labels));
}

}  // namespace

Workshop::Workshop() {
  std::string pattern = (std::filesystem::temp_directory_path() / "cairn-test-XXXXXX").string();
  folder_ = ::mkdtemp(pattern.data());
}

Workshop::~Workshop() {
  std::filesystem::remove_all(folder_);
}

Outcome Workshop::cairn(const std::vector<std::string>& arguments) const {
  return run(CAIRN_PROGRAM, arguments);
}
Outcome Workshop::forge(const std::vector<std::string>& arguments) const {
  return run(CAIRN_FORGE, arguments);
}

Outcome Workshop::cairn_with_file_limit(uint64_t bytes, const std::vector<std::string>& arguments) const {
  return run(CAIRN_PROGRAM, arguments, [bytes] {
    const rlimit limit{bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  });
}

Outcome Workshop::cairn_with_plain_rights(const std::vector<std::string>& arguments) const {
  return run(CAIRN_PROGRAM, arguments, [] {
    for (const int right : {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}) ::prctl(PR_CAPBSET_DROP, right, 0, 0, 0);
  });
}

Outcome Workshop::run(const std::string& program, const std::vector<std::string>& arguments,
                      const std::function<void()>& restrict) const {
  return finish("", spawn("", program, arguments, restrict));
}

pid_t Workshop::start(const std::string& name, const std::vector<std::string>& arguments) const {
  return spawn(name, CAIRN_PROGRAM, arguments, {});
}

pid_t Workshop::spawn(const std::string& name, const std::string& program,
                      const std::vector<std::string>& arguments,
                      const std::function<void()>& restrict) const {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
  redirect(folder_ / (".out" + name), STDOUT_FILENO);
  redirect(folder_ / (".err" + name), STDERR_FILENO);
  ::setenv("XDG_DATA_HOME", (folder_ / ".data").c_str(), 1);
  ::setenv("XDG_CACHE_HOME", (folder_ / ".cache").c_str(), 1);
  if (restrict) restrict();
  if (::chdir(folder_.c_str()) != 0) ::_exit(126);
  std::vector<char*> words = {const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  ::_exit(127);
}

Outcome Workshop::finish(const std::string& name, pid_t process) const {
  int status = 0;
  ::waitpid(process, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), slurp(folder_ / (".out" + name)),
          slurp(folder_ / (".err" + name))};
}

std::string Workshop::must(const std::vector<std::string>& arguments) const {
  const Outcome outcome = cairn(arguments);
  EXPECT_EQ(outcome.code, 0) << "cairn " << testing::PrintToString(arguments) << "\n" << outcome.err;
  return outcome.out;
}

void Workshop::write(const std::string& name, const std::string& text) const {
  ASSERT_TRUE(write_file(folder_ / name, as_bytes(text)));
}

Digest tree_digest(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  Hasher hasher("tree");
  for (const auto& file : files) {
    const auto bytes = read_file(file, uint64_t{1} << 32);
    hasher.update(sha256(as_bytes(file.lexically_relative(folder).string())).bytes);
    hasher.update(sha256(*bytes).bytes);
  }
  return hasher.finish();
}

void write_idx_data(const std::filesystem::path& folder, uint32_t train, uint32_t test) {
  ASSERT_TRUE(make_directory(folder));
  write_idx_pair(folder, "train", train, 1);
  write_idx_pair(folder, "t10k", test, 2);
}

}  // namespace cairn::tests
