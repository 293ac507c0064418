// What the measures of `script/bench net` share: options, times, and a report for people and for programs.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace cairn::bench {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string only;    // of a measure; empty: all
  double seconds = 5;  // of load in each run
  int repeats = 3;     // runs, of which the median counts
  int clients = 200;   // who send entries
  int lease_clients = 1000;
  uint64_t entries = 100'000;                       // of the ledger that is verified
  std::filesystem::path directory = "build/bench";  // where projects lie: its disk is measured, too
};

// A figure of several runs; the median counts.
struct Figure {
  std::string measure;  // as in --only
  std::string name;
  std::string unit;
  std::vector<double> runs;
  std::optional<double> at_least = {}, at_most = {};  // the goal
  bool peer = false;                                  // of something bare, for comparison
  std::string note = {};
};

class Report {
 public:
  // Also prints a line of the table.
  void add(Figure figure);
  // Writes the figures, the machine and the command as JSON.
  void write(const std::filesystem::path& file, const std::string& command) const;

 private:
  std::vector<Figure> figures_;
};

void measure_entries(const Options& options, Report& report);
void measure_leases(const Options& options, Report& report);
void measure_upload(const Options& options, Report& report);
void measure_idle(const Options& options, Report& report);
void measure_verify(const Options& options, Report& report);
void measure_floods(const Options& options, Report& report);

// The processes behind measure_idle(): a host with TLS that says how much memory so many clients cost, and
// those clients.
int serve_idle_clients(int clients);
int be_idle_clients(uint16_t port, const std::filesystem::path& certificate, int clients);

// The process behind measure_floods(): floods that host until it is ended.
int flood(const std::string& kind, uint16_t port, const std::filesystem::path& project);

double seconds_since(Clock::time_point start);
double processor_seconds();  // of this process so far
double median(std::vector<double> values);
// The value below which the share of `values` lies; 0 where there are none.
double quantile(std::vector<double> values, double share);

}  // namespace cairn::bench
