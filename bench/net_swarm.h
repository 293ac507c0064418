// Many contributors of one hosted project, who make their gradients up: nobody recomputes when an entry is
// accepted, so what is measured is the host.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "project/contribution.h"
#include "role/remote.h"
#include "role/workshop.h"

namespace cairn::bench {

// What contributors know of a project without following its log.
struct Facts {
  Digest project;
  PublicKey coordinator;
  ledger::LogHead seen;  // an early state of the log, which every statement may name
  uint32_t samples = 0, block_size = 0;
  uint8_t bits = 0;
  uint64_t parameters = 0;
};
Facts facts_of(const project::Project& project);

// A host with room for so many clients of one address.
std::unique_ptr<role::Host> roomy_host(const role::Workshop& workshop, role::HostRule rule,
                                       net::ServerOptions options = {});

// The snapshot of each round, asked for once by whoever needs it first. Safe from any thread.
class Snapshots {
 public:
  explicit Snapshots(const std::string& url);
  Digest of(trust::Round round);  // zero where the round is over already

 private:
  std::unique_ptr<net::Client> client_;
  std::mutex mutex_;
  std::map<trust::Round, Digest> known_;
};

class MadeUpContributor {
 public:
  MadeUpContributor(const Facts& facts, const std::string& url, int number, net::ClientOptions options = {});

  net::Outcome<role::RemoteLease> lease();
  Bytes lease_request() const;  // that lease() sends
  void give_back(trust::UnitId unit);
  // A submission of the unit, complete and signed.
  project::Submission submission(const role::RemoteLease& lease, const Digest& snapshot) const;
  // Hands it in, in pieces if it is large, and checks the receipts.
  net::Outcome<void> hand_in(const project::Submission& submission);

 private:
  role::UnitRequest request() const;
  role::UnitRequest request_about(role::UnitRequest::Kind kind, trust::UnitId unit) const;  // signed

  const Facts& facts_;
  std::unique_ptr<role::Remote> remote_;
  SigningKey key_;
  std::string name_;
  bool joined_ = false;
};

// Runs `work` for each of 0 … count - 1 on a thread of its own, and returns when all are done. If one of them
// throws, the program ends with its message.
void in_parallel(int count, const std::function<void(int)>& work);

}  // namespace cairn::bench
