#include "cmd/own_machine.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>

#include "project/contribution.h"
#include "project/invites.h"

namespace cairn::cmd {
namespace {

constexpr int kNiceness = 10;  // the coordinator and its server come first

}  // namespace

Status OwnMachine::start(const Shared& shared, const std::filesystem::path& directory,
                         std::unique_ptr<role::Remote> remote, const std::string& name) {
  CAIRN_CHECK(project::check_user_name(name));
  remote_ = std::move(remote);
  thread_ = std::thread([this, &shared, directory, name] {
    ::setpriority(PRIO_PROCESS, 0, kNiceness);  // of this thread and those that it makes
    const Status status = work(shared, directory, name);
    if (!status && !stopping_) ending_ = status.error().message;
    ended_ = true;
  });
  return {};
}

void OwnMachine::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

std::string OwnMachine::message() {
  return ended_ ? std::exchange(ending_, "") : "";
}

bool OwnMachine::wait(int64_t milliseconds) const {
  constexpr int64_t kStep = 100;
  for (int64_t left = milliseconds; left > 0 && !stopping_; left -= kStep)
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(left, kStep)));
  return !stopping_;
}

Status OwnMachine::work(const Shared& shared, const std::filesystem::path& directory,
                        const std::string& name) {
  CAIRN_TRY(const project::EngineOptions engine, shared.engine());
  CAIRN_TRY(const auto replica, role::Replica::open_at(*remote_, directory, system_environment()));
  CAIRN_TRY(const SigningKey key, own_key(shared, replica->project(), name));
  CAIRN_CHECK(project::let_in(replica->project(), key.public_key()));
  CAIRN_TRY(project::Trainer trainer, project::Trainer::create(replica->project(), engine));
  role::Contributor contributor(*remote_, *replica, key, role::compute_with(trainer), {.name = name},
                                system_environment());
  contributor.progress = [this](uint64_t, uint64_t) { return !stopping_; };
  contributor.pause = [this](int64_t milliseconds) { return wait(milliseconds); };
  contributor.on_news = [this](const role::ContributorNews& news) { accepted_ = news.accepted; };
  return contributor.run();
}

}  // namespace cairn::cmd
