#include "cmd/join_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace cairn::cmd {
namespace {

using role::ContributorNews;
using role::duration_text;
using Kind = ContributorNews::Kind;

constexpr int64_t kEnough = 2000;  // milliseconds of computing that tell the speed
constexpr int64_t kRedraw = 200, kPlainLine = 60'000, kJsonLine = 10'000;

int64_t steady_now() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

std::string speed_text(double images_per_second) {
  return fmt::format("{:.{}f} images/s", images_per_second, images_per_second < 100 ? 1 : 0);
}

// Parts in a million as percent.
std::string percent_text(uint32_t ppm) {
  return fmt::format("{}.{} %", ppm / 10'000, ppm / 1000 % 10);
}

uint64_t percent(uint64_t done, uint64_t total) {
  return total == 0 ? 0 : 100 * done / total;
}

}  // namespace

// Where the user stands by the local copy of the log; null: not in it yet.
const trust::Place* JoinReport::place() {
  const auto user = project_.state().user_of(user_);
  if (!user) return nullptr;
  if (places_as_of_ != project_.head().size) {
    places_ = trust::leaderboard(project_.state());
    places_as_of_ = project_.head().size;
  }
  return &*std::ranges::find(places_, *user, &trust::Place::user);
}

std::string JoinReport::standing() {
  const trust::Place* own = place();
  if (own == nullptr) return "not in the log yet";
  return fmt::format("reputation {}, rank {} of {}, {} of the model", trust::to_decimal(own->reputation),
                     own->rank, places_.size(), percent_text(own->weight_ppm));
}

void JoinReport::add_standing(Json& json) {
  json["accepted"] = accepted_;
  const trust::Place* own = place();
  if (own == nullptr) return;
  json["reputation"] = number(own->reputation);
  json["rank"] = own->rank;
  json["users"] = places_.size();
  json["weight"] =
      Json::literal(fmt::format("{}.{:06}", own->weight_ppm / 1'000'000, own->weight_ppm % 1'000'000));
}

void JoinReport::write(Json json) const {
  fmt::print("{}\n", json.dump());
  std::fflush(stdout);
}

void JoinReport::say(const std::string& event, const std::string& sentence) {
  if (shared_.json) return write({{"event", event}, {"message", sentence}});
  console_.say(printable(sentence));
}

void JoinReport::resumed(trust::UnitId unit, uint32_t batches) {
  if (shared_.json) return write({{"event", "resumed"}, {"unit", unit}, {"batches", batches}});
  console_.say(fmt::format("unit {}: goes on after {} that an earlier run computed", unit,
                           plural(batches, "batch", "batches")));
}

void JoinReport::news(const ContributorNews& news) {
  accepted_ = news.accepted;
  if (news.kind == Kind::computing) {
    unit_ = news;
    warned_ = measures_ = false;
    pace_.begin(steady_now(), 0);
    if (shared_.json)
      write({{"event", "computing"}, {"round", news.round}, {"unit", news.unit}, {"expires", news.expires}});
  } else if (news.kind == Kind::waiting) {
    say("waiting", "waiting: " + news.message);
  } else if (news.kind == Kind::evaluating || news.kind == Kind::evaluated) {
    evaluation(news);
  } else if (news.kind == Kind::refused && shared_.json) {
    write({{"event", "refused"}, {"round", news.round}, {"unit", news.unit}, {"message", news.message}});
  } else if (news.kind == Kind::refused) {
    console_.say(fmt::format("unit {} was not taken: {}", news.unit, printable(news.message)));
  } else if (shared_.json) {
    Json json = {{"event", "accepted"}, {"round", news.round}, {"unit", news.unit}, {"loss", news.loss}};
    add_standing(json);
    write(std::move(json));
  } else {
    console_.clear();
    fmt::print("unit {} of round {} accepted, loss {:.4f}; {}\n", news.unit, news.round, news.loss,
               standing());
    std::fflush(stdout);
  }
}

void JoinReport::evaluation(const ContributorNews& news) {
  const bool done = news.kind == Kind::evaluated;
  const double accuracy = done ? news.evaluation.accuracy() : 0;
  if (!shared_.json && !done) {
    console_.say(fmt::format("testing the model of round {}: it is this machine's turn", news.round));
  } else if (!shared_.json) {
    console_.say(fmt::format("round {}: test accuracy {:.4f} ({} of {}), signed and in the log", news.round,
                             accuracy, news.evaluation.correct,
                             answers(project_.data().manifest(), news.evaluation.images)));
  } else if (!done) {
    write({{"event", "evaluating"}, {"round", news.round}});
  } else {
    write({{"event", "evaluated"},
           {"round", news.round},
           {"correct", news.evaluation.correct},
           {"images", news.evaluation.images},
           {"accuracy", accuracy},
           {"loss", news.evaluation.loss}});
  }
}

// The first batch of a unit also waits for data; it counts only where there is no other.
void JoinReport::measure(uint64_t done, uint64_t total) {
  if (measures_ || done >= total) {
    pace_.reach(steady_now(), done);
  } else {
    pace_.begin(steady_now(), done);
  }
  measures_ = true;
}

void JoinReport::tell_speed(uint64_t unit_images) {
  told_speed_ = true;
  const double speed = pace_.images_per_second();
  const int64_t time = pace_.left(unit_images).value_or(0);
  if (shared_.json) return write({{"event", "speed"}, {"images_per_second", speed}, {"unit_ms", time}});
  console_.say(fmt::format("this machine computes {}: a unit of {} takes {}", speed_text(speed),
                           samples(project_.data().manifest(), unit_images), duration_text(time)));
}

// At this speed the unit would come too late: said once, as soon as it shows.
void JoinReport::warn_if_late(uint64_t images_left) {
  const auto left = pace_.left(images_left);
  if (warned_ || !left || pace_.measured() < kEnough) return;
  const int64_t now = system_environment().now();
  const ledger::Policy& policy = project_.state().policy();
  const auto rounds_time = static_cast<int64_t>(policy.round_time * (policy.staleness + 1));
  const int64_t round_ends =
      rounds_time == 0 ? 0 : project_.state().rounds()[unit_.round].opened + rounds_time;
  const role::TooLate late = role::too_late(*left, now, unit_.expires, round_ends);
  if (late == role::TooLate::no) return;
  warned_ = true;
  const bool lease = late == role::TooLate::lease;
  say("warning",
      fmt::format("warning: at {} unit {} takes {} more, but {} in {}{}; more --threads or a faster "
                  "machine help",
                  speed_text(pace_.images_per_second()), unit_.unit, duration_text(*left),
                  lease ? "its lease ends" : "the last round that takes it may close",
                  duration_text(std::max<int64_t>((lease ? unit_.expires : round_ends) - now, 0)),
                  lease ? ", and then somebody else may get it" : ""));
}

// What matters most comes first: a narrow terminal shows the beginning.
std::string JoinReport::line(uint64_t done, uint64_t total) {
  std::string left, speed;
  if (const auto time = pace_.left(total - done); time && pace_.measured() >= kEnough) {
    left = fmt::format(", {} left", duration_text(*time));
    speed = ", " + speed_text(pace_.images_per_second());
  }
  return fmt::format("unit {}: {} %{}; {} accepted, {}; round {}{}", unit_.unit, percent(done, total), left,
                     accepted_, standing(), unit_.round, speed);
}

void JoinReport::progress_json(uint64_t done, uint64_t total) {
  Json json = {
      {"event", "progress"}, {"round", unit_.round}, {"unit", unit_.unit}, {"done", done}, {"total", total}};
  if (const auto left = pace_.left(total - done)) {
    json["images_per_second"] = pace_.images_per_second();
    json["left_ms"] = *left;
  }
  add_standing(json);
  write(std::move(json));
}

void JoinReport::progress(uint64_t done, uint64_t total) {
  measure(done, total);
  if (!told_speed_ && pace_.measured() >= kEnough) tell_speed(total);
  warn_if_late(total - done);
  const bool redraws = !shared_.json && console_.redraws();
  const int64_t now = steady_now(), pause = redraws ? kRedraw : shared_.json ? kJsonLine : kPlainLine;
  if (!redraws && next_line_ == 0) next_line_ = now + pause;
  if (now < next_line_) return;
  next_line_ = now + pause;
  if (redraws) return console_.status(line(done, total) + "   (p: pause, q: quit)");
  if (shared_.json) return progress_json(done, total);
  console_.say(line(done, total));
}

void JoinReport::end(const std::string& name, uint64_t accepted) {
  accepted_ = accepted;
  if (shared_.json) {
    Json json = {{"event", "end"}, {"user", name}, {"project", project_.id().hex()}};
    add_standing(json);
    return write(std::move(json));
  }
  console_.clear();
  fmt::print("{} in this run; {}\n", plural(accepted, "unit accepted", "units accepted"), standing());
}

}  // namespace cairn::cmd
