#include "onnx/sandbox.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "base/descriptor.h"
#include "onnx/proto.h"

namespace cairn::onnx {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
// Sanitizers reserve terabytes of address space, and open a pipe to see whether memory can be read.
constexpr bool kLimitMemory = false;
constexpr rlim_t kMaxDescriptors = 8;
#else
constexpr bool kLimitMemory = true;
constexpr rlim_t kMaxDescriptors = 2;
#endif

constexpr rlim_t kSpareMemory = rlim_t{256} << 20;
constexpr rlim_t kMemoryPerByte = 8;
constexpr rlim_t kCpuSeconds = 120;
constexpr auto kPatience = std::chrono::minutes(10);
constexpr size_t kMaxError = 4096;

bool limit(__rlimit_resource resource, rlim_t value) {
  const rlimit both{value, value};
  return ::setrlimit(resource, &both) == 0;
}

// What this process has mapped already: the child inherits it, and its limit comes on top.
rlim_t mapped_bytes() {
  unsigned long long pages = 0;
  if (FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%llu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return static_cast<rlim_t>(pages) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

// In the child: keeps `input` and `output` and gives up all else. False if a limit cannot be set.
bool give_up_rights(int& input, int& output, uint64_t file_size, rlim_t mapped) {
  constexpr int kInput = 0, kOutput = 1;
  // The pipe may itself be descriptor 0, so both are moved out of the way first.
  const int spare_input = ::fcntl(input, F_DUPFD, 3), spare_output = ::fcntl(output, F_DUPFD, 3);
  if (spare_input < 0 || spare_output < 0) return false;
  if (::dup2(spare_input, kInput) < 0 || ::dup2(spare_output, kOutput) < 0) return false;
  ::close(2);
  if (::close_range(3, ~0u, 0) != 0) return false;
  input = kInput;
  output = kOutput;
  const rlim_t memory = mapped + kSpareMemory + kMemoryPerByte * file_size;
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         limit(RLIMIT_CORE, 0) && limit(RLIMIT_CPU, kCpuSeconds) && limit(RLIMIT_FSIZE, 0) &&
         limit(RLIMIT_NPROC, 0) && limit(RLIMIT_NOFILE, kMaxDescriptors) &&
         (!kLimitMemory || limit(RLIMIT_AS, memory));
}

bool write_all(int fd, BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

bool read_exactly(int fd, Bytes& bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t count = ::read(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<size_t>(count);
  }
  return true;
}

// The whole life of the child. Exceptions (memory that is refused, above all) end here.
[[noreturn]] void run_child(int input, int output, uint64_t file_size, rlim_t mapped,
                            const std::string& name) {
  if (!give_up_rights(input, output, file_size, mapped)) ::_exit(2);
  try {
    Bytes file(file_size);
    Result<ImportedModel> answer = Error{name + ": could not be read"};
    if (read_exactly(input, file)) answer = import_onnx(file, name);
    ::_exit(write_all(output, encode_answer(answer)) ? 0 : 3);
  } catch (...) {
    ::_exit(4);
  }
}

// Everything up to the end of the pipe; false if it is too much, too late or broken.
bool read_answer(int fd, uint64_t max_size, Bytes& answer) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  Bytes buffer(1 << 16);
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd ready{fd, POLLIN, 0};
    const int events = ::poll(&ready, 1, static_cast<int>(left.count()));
    if (events < 0 && errno != EINTR) return false;
    if (events <= 0) continue;
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    if (count == 0) return true;
    if (answer.size() + static_cast<size_t>(count) > max_size) return false;
    answer.insert(answer.end(), buffer.begin(), buffer.begin() + count);
  }
}

Status open_file(const std::filesystem::path& path, Descriptor& file, uint64_t& size) {
  file.set(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (file.get() < 0 || ::fstat(file.get(), &info) != 0) {
    return Error{path.string() + ": cannot be opened: " + std::strerror(errno)};
  }
  if (!S_ISREG(info.st_mode)) return Error{path.string() + ": is no file"};
  size = static_cast<uint64_t>(info.st_size);
  if (size > kMaxOnnxFileSize)
    return Error{path.string() + ": is larger than 2 GiB, ONNX's limit for one file"};
  return {};
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return -1;
  }
  return status;
}

}  // namespace

Result<ImportedModel> import_onnx_file(const std::filesystem::path& path) {
  Descriptor file, pipe_read, pipe_write;
  uint64_t size = 0;
  CAIRN_CHECK(open_file(path, file, size));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return Error{path.string() + ": no pipe for the import: " + std::strerror(errno)};
  pipe_read.set(ends[0]);
  pipe_write.set(ends[1]);

  const std::string name = path.string();
  const rlim_t mapped = mapped_bytes();
  const pid_t child = ::fork();
  if (child < 0) return Error{name + ": no process for the import: " + std::strerror(errno)};
  if (child == 0) run_child(file.get(), pipe_write.get(), size, mapped, name);

  pipe_write.close();
  Bytes answer;
  // A canonical model is not larger than the file that it came from, but for names and shapes.
  const bool complete = read_answer(pipe_read.get(), model::kMaxModelFileSize + 2 * size + kMaxError, answer);
  if (!complete) ::kill(child, SIGKILL);
  const int status = wait_for(child);
  if (!complete || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    return Error{name +
                 ": the import broke down or reached its limit of memory or time; the file is damaged or "
                 "made to harm"};
  }
  auto result = decode_answer(answer);
  if (!result && !answer.empty() && answer[0] != 0) return result.error().within(name);
  return result;
}

namespace {

void write_floats(ByteWriter& out, const std::vector<float>& values) {
  for (const float value : values) out.f32(value);
}

Status read_floats(ByteReader& in, const char* field, size_t count, std::vector<float>& values) {
  const BytesView raw = in.raw(field, count * sizeof(float));
  CAIRN_CHECK(in.status());
  values.resize(count);
  if (count > 0) std::memcpy(values.data(), raw.data(), raw.size());
  for (const float value : values) {
    if (!std::isfinite(value)) return Error{std::string(field) + ": a value is not finite"};
  }
  return {};
}

constexpr uint8_t kRefused = 0, kAccepted = 1;

}  // namespace

Bytes encode_answer(const Result<ImportedModel>& answer) {
  ByteWriter out;
  if (!answer) {
    out.u8(kRefused);
    out.string(std::string_view(answer.error().message).substr(0, kMaxError));
    return out.take();
  }
  out.u8(kAccepted);
  out.blob(model::encode(answer->graph));
  write_floats(out, answer->parameters);
  write_floats(out, answer->statistics);
  return out.take();
}

Result<ImportedModel> decode_answer(BytesView bytes) {
  ByteReader in(bytes);
  const uint8_t kind = in.u8("answer");
  if (kind == kRefused) {
    const std::string message = in.string("error", kMaxError);
    CAIRN_CHECK(in.finish());
    return Error{printable(message, kMaxError)};
  }
  if (kind != kAccepted) return Error{"the import gave no answer"};
  const BytesView encoded = in.blob("model", model::kMaxModelFileSize);
  CAIRN_CHECK(in.status());
  ImportedModel result;
  CAIRN_TRY(result.graph, model::decode_graph(encoded));
  CAIRN_CHECK(read_floats(in, "parameters", model::parameter_count(result.graph), result.parameters));
  CAIRN_CHECK(read_floats(in, "statistics", statistics_count(result.graph), result.statistics));
  CAIRN_CHECK(in.finish());
  return result;
}

}  // namespace cairn::onnx
