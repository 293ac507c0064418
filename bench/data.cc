// script/bench data: how fast pictures become a data set, and how much memory that takes whatever their
// number. Makes a folder of JPEG files as ImageNet has them and runs `cairn data import` on a part of it and
// on all.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <random>

#include "base/threads.h"
#include "data/idx.h"
#include "data/sample_pictures.h"

namespace {

using namespace cairn;
namespace fs = std::filesystem;

struct Options {
  uint32_t pictures = 4'000, classes = 100, width = 500, height = 375, size = 224;
  fs::path fashion;  // makes folders of Fashion-MNIST's images there, and nothing else
};

// A smooth picture with some noise, which compresses about as photographs do.
Bytes picture(uint32_t number, const Options& options) {
  std::mt19937 random(number);
  const auto draw = [&](uint32_t count) { return 1 + static_cast<uint32_t>(random() % count); };
  const uint32_t across = draw(7), down = draw(7), noise = draw(32);
  Bytes pixels;
  pixels.reserve(size_t{3} * options.width * options.height);
  for (uint32_t y = 0; y < options.height; ++y) {
    for (uint32_t x = 0; x < options.width; ++x) {
      const uint32_t grain = (x * 2'654'435'761u ^ y * 2'246'822'519u ^ number) >> 16;
      for (const uint32_t c : {0u, 85u, 170u})
        pixels.push_back(static_cast<uint8_t>((x * across + y * down) / 4 + c + grain % noise));
    }
  }
  return data::jpeg_file(options.width, options.height, pixels, 3, 90);
}

void make_pictures(const fs::path& folder, uint32_t first, uint32_t end, const Options& options) {
  for (uint32_t c = 0; c < options.classes; ++c)
    fs::create_directories(folder / "train" / fmt::format("n{:08}", c));
  ThreadPool pool(hardware_threads());
  pool.run(end - first, [&](int64_t i, int) {
    const auto number = first + static_cast<uint32_t>(i);
    const std::string place = fmt::format("train/n{:08}/{:08}.JPEG", number % options.classes, number);
    data::write_plain(folder / place, picture(number, options));
  });
}

struct Usage {
  double seconds, processor_seconds;
  long peak_kib;
};

Usage import(const fs::path& from, const fs::path& to, const Options& options) {
  const auto begin = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::execl(CAIRN_PROGRAM, "cairn", "data", "import", from.c_str(), "-o", to.c_str(), "--size",
            std::to_string(options.size).c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  if (status != 0) throw std::runtime_error("the import failed");
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return {std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(),
          seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss};
}

void measure(const Options& options) {
  const data::TemporaryDirectory folder;
  uint32_t made = 0;
  for (const uint32_t count : {options.pictures / 4, options.pictures}) {
    make_pictures(folder / "pictures", made, count, options);
    made = count;
    const fs::path target = folder / fmt::format("data-{}", count);
    const Usage usage = import(folder / "pictures", target, options);
    fmt::print(
        "{:8} pictures of {} x {}: {:7.1f} s, {:6.0f} a second, {:6.0f} a second and core, peak {:5} MiB\n",
        count, options.width, options.height, usage.seconds, count / usage.seconds,
        count / usage.processor_seconds, usage.peak_kib / 1024);
    std::fflush(stdout);
    fs::remove_all(target);
  }
}

// The same data set in another form, for trying everything with.
int write_fashion(const fs::path& folder) {
  const auto source = data::open_idx_folder("/usr/share/datasets/fashion-mnist", "fashion-mnist", {});
  if (!source) return fmt::print(stderr, "{}\n", source.error().message), 1;
  ThreadPool alone(1);
  for (const data::Split split : data::kSplits) {
    const auto count = static_cast<uint32_t>((*source)->count(split));
    const auto samples = (*source)->read(split, 0, count, alone);
    if (!samples) return fmt::print(stderr, "{}\n", samples.error().message), 1;
    for (uint32_t i = 0; i < count; ++i) {
      const fs::path place = folder / (split == data::Split::train ? "train" : "val") /
                             std::to_string(samples->entries[i].label);
      fs::create_directories(place);
      const BytesView pixels = BytesView(samples->bytes).subspan(size_t{784} * i, 784);
      data::write_plain(place / (samples->entries[i].name + ".jpg"), data::jpeg_file(28, 28, pixels, 1));
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("How fast pictures become a data set");
  app.add_option("--pictures", options.pictures, "How many")
      ->check(CLI::Range(4u, 10'000'000u))
      ->capture_default_str();
  app.add_option("--classes", options.classes, "Of how many classes")
      ->check(CLI::Range(1u, 65'536u))
      ->capture_default_str();
  app.add_option("--width", options.width, "Pixels")->check(CLI::Range(1u, 16'384u))->capture_default_str();
  app.add_option("--height", options.height, "Pixels")->check(CLI::Range(1u, 16'384u))->capture_default_str();
  app.add_option("--size", options.size, "Of the squares that they become")
      ->check(CLI::Range(1u, 2'048u))
      ->capture_default_str();
  app.add_option("--fashion-mnist", options.fashion,
                 "Write its images as JPEG into this folder, and measure nothing");
  CLI11_PARSE(app, argc, argv);
  if (!options.fashion.empty()) return write_fashion(options.fashion);
  measure(options);
  return 0;
}
