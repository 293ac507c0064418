// The machine of a host that computes for its own project, as a volunteer on the same machine would.
#pragma once

#include <atomic>
#include <thread>

#include "cmd/remote_project.h"
#include "role/contributor.h"

namespace cairn::cmd {

// Computes on a thread of its own, with low priority, from the start until stop(); or does nothing if it was
// never started. start(), stop() and message() on one thread.
class OwnMachine {
 public:
  OwnMachine() = default;
  ~OwnMachine() { stop(); }
  OwnMachine(const OwnMachine&) = delete;
  OwnMachine& operator=(const OwnMachine&) = delete;

  // For the project in `directory` that `remote` hosts, as the user of that name, whose key is made where
  // there is none. Shares the directory with the host: nothing is copied.
  // Needs no invite.
  Status start(const Shared& shared, const std::filesystem::path& directory,
               std::unique_ptr<role::Remote> remote, const std::string& name);
  void stop();  // gives the unit back

  uint64_t accepted() const { return accepted_; }  // units so far
  // Why it ended by itself, once; empty as long as it goes on.
  std::string message();

 private:
  Status work(const Shared& shared, const std::filesystem::path& directory, const std::string& name);
  bool wait(int64_t milliseconds) const;

  std::unique_ptr<role::Remote> remote_;
  std::thread thread_;
  std::atomic<bool> stopping_ = false, ended_ = false;
  std::atomic<uint64_t> accepted_ = 0;
  std::string ending_;  // written before ended_ is set
};

}  // namespace cairn::cmd
