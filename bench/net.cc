// script/bench net: how much a host takes. Every figure is the median of several runs, with its goal beside
// it and, where that makes sense, something bare that was measured in the same run.
#include "bench/net.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

namespace cairn::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr rlim_t kDescriptors = 16'384;  // 5 000 clients and their server are never in one process

std::string goal(const Figure& figure) {
  if (figure.at_least) return fmt::format(">= {:g}", *figure.at_least);
  if (figure.at_most) return fmt::format("<= {:g}", *figure.at_most);
  return "";
}

std::optional<bool> met(const Figure& figure) {
  if (figure.at_least) return median(figure.runs) >= *figure.at_least;
  if (figure.at_most) return median(figure.runs) <= *figure.at_most;
  return std::nullopt;
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

Json machine() {
  double load[3] = {0, 0, 0};
  std::ignore = getloadavg(load, 3);
  return {{"processor", processor()}, {"threads", std::thread::hardware_concurrency()}, {"load", load}};
}

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, std::min(kDescriptors, limit.rlim_max));
  setrlimit(RLIMIT_NOFILE, &limit);
}

struct Measure {
  const char* name;
  void (*run)(const Options& options, Report& report);
};

constexpr Measure kMeasures[] = {{"entries", measure_entries}, {"leases", measure_leases},
                                 {"upload", measure_upload},   {"idle", measure_idle},
                                 {"verify", measure_verify},   {"floods", measure_floods}};

void run_all(const Options& options, const std::string& command) {
  std::filesystem::create_directories(options.directory);
  // Where the projects of the measures are made.
  setenv("TMPDIR", std::filesystem::absolute(options.directory).c_str(), 1);
  Report report;
  double load[1] = {0};
  std::ignore = getloadavg(load, 1);
  fmt::print("{}, {} threads, load {:.1f}; medians of {} runs\n\n{:<62} {:>12} {:>10}\n", processor(),
             std::thread::hardware_concurrency(), load[0], options.repeats, "", "", "goal");
  for (const Measure& measure : kMeasures) {
    if (options.only.empty() || options.only == measure.name) measure.run(options, report);
  }
  report.write("build/bench/net.json", command);
  fmt::print("\nwritten to build/bench/net.json\n");
}

int main_of(int argc, char** argv) {
  CLI::App app("Measures a host: entries, leases, uploads, idle clients, verification, floods.",
               "script/bench net");
  Options options;
  int serve = 0, idle = 0;
  uint16_t port = 0;
  std::filesystem::path certificate, project;
  std::string flood_kind;
  app.add_option("--only", options.only, "one measure")
      ->check(CLI::IsMember({"entries", "leases", "upload", "idle", "verify", "floods"}));
  app.add_option("--seconds", options.seconds, "of load in each run")->check(CLI::Range(0.1, 600.0));
  app.add_option("--repeats", options.repeats, "runs")->check(CLI::Range(1, 100));
  app.add_option("--clients", options.clients, "who send entries")->check(CLI::Range(1, 5000));
  app.add_option("--lease-clients", options.lease_clients, "who ask for units")->check(CLI::Range(1, 5000));
  app.add_option("--entries", options.entries, "of the ledger that is verified")
      ->check(CLI::Range(1000, 10'000'000));
  app.add_option("--directory", options.directory, "on the disk that is to be measured");
  app.add_option("--serve-idle", serve)->group("");
  app.add_option("--be-idle", idle)->group("");
  app.add_option("--port", port)->group("");
  app.add_option("--certificate", certificate)->group("");
  app.add_option("--flood", flood_kind)->group("");
  app.add_option("--project", project)->group("");
  CLI11_PARSE(app, argc, argv);
  raise_descriptor_limit();
  if (serve > 0) return serve_idle_clients(serve);
  if (!flood_kind.empty()) return flood(flood_kind, port, project);
  if (idle > 0) return be_idle_clients(port, certificate, idle);
  std::string command = "script/bench net";
  for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
  run_all(options, command);
  return 0;
}

}  // namespace

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  const auto at =
      std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

double median(std::vector<double> values) {
  return quantile(std::move(values), 0.5);
}

void Report::add(Figure figure) {
  const std::optional<bool> reached = met(figure);
  const char* verdict = !reached ? "" : *reached ? "met" : "missed";
  fmt::print("{:<62} {:>12} {:>10} {}\n", (figure.peer ? "    beside: " : "") + figure.name,
             fmt::format("{:.4g} {}", median(figure.runs), figure.unit), goal(figure), verdict);
  if (!figure.note.empty()) fmt::print("    ({})\n", figure.note);
  std::fflush(stdout);
  figures_.push_back(std::move(figure));
}

void Report::write(const std::filesystem::path& file, const std::string& command) const {
  Json list = Json::array();
  for (const Figure& figure : figures_) {
    Json line = {{"measure", figure.measure},     {"name", figure.name}, {"unit", figure.unit},
                 {"median", median(figure.runs)}, {"runs", figure.runs}, {"peer", figure.peer}};
    if (figure.at_least) line["at_least"] = *figure.at_least;
    if (figure.at_most) line["at_most"] = *figure.at_most;
    if (const auto reached = met(figure)) line["met"] = *reached;
    if (!figure.note.empty()) line["note"] = figure.note;
    list.push_back(line);
  }
  std::filesystem::create_directories(file.parent_path());
  std::ofstream out(file);
  out << Json{{"command", command}, {"machine", machine()}, {"figures", list}}.dump(2) << "\n";
  if (!out.flush()) throw std::runtime_error(file.string() + ": cannot be written");
}

}  // namespace cairn::bench

int main(int argc, char** argv) {
  try {
    return cairn::bench::main_of(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "bench: {}\n", error.what());
    return 1;
  }
}
