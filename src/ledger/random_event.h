// Random events for property tests: an archive that fills every field of every layout.
#pragma once

#include <random>

#include "ledger/event_fields.h"

namespace cairn::ledger {

class RandomArchive {
 public:
  explicit RandomArchive(std::mt19937_64& random) : random_(random) {}

  void operator()(const char*, bool& value) { value = draw(2) != 0; }
  void operator()(const char*, uint32_t& value) { value = static_cast<uint32_t>(random_() >> draw(64)); }
  void operator()(const char*, uint64_t& value) { value = random_() >> draw(64); }
  void operator()(const char*, int64_t& value) { value = static_cast<int64_t>(random_() >> (1 + draw(63))); }

  template <class T>
  void operator()(const char* name, std::optional<T>& value) {
    if (draw(2) != 0) (*this)(name, value.emplace());
  }

  template <class T>
  requires std::is_class_v<T>
  void operator()(const char*, T& value) {
    if constexpr (requires { value.bytes; }) {
      for (uint8_t& byte : value.bytes) byte = static_cast<uint8_t>(random_());
    } else if constexpr (std::same_as<T, Policy>) {
      value = policy();
    } else {
      fields(*this, value);
    }
  }

  template <class Enumeration>
  void choice(const char*, Enumeration& value, Enumeration last) {
    value = static_cast<Enumeration>(draw(static_cast<uint64_t>(last) + 1));
  }

  template <class T>
  void list(const char* name, std::vector<T>& values, uint32_t) {
    values.resize(draw(5));
    for (T& value : values) (*this)(name, value);
  }

  void version(uint16_t) {}
  void body(Body& body) { body_at(body, draw(std::variant_size_v<Body>)); }

  // The alternative of that number, with random fields.
  template <size_t I = 0>
  void body_at(Body& body, size_t index) {
    if constexpr (I < std::variant_size_v<Body>) {
      if (index != I) return body_at<I + 1>(body, index);
      (*this)("body", body.emplace<I>());
    }
  }

  Policy policy() {  // a valid one
    Policy policy;
    policy.minimum = 1 + draw(kReputationOne / 2);
    policy.maximum = policy.minimum + draw(kReputationOne - policy.minimum);
    choice("", policy.growth, Growth::exponential);
    policy.step = 1 + draw(kReputationOne);
    policy.growth_ppm = 1 + static_cast<uint32_t>(draw(1'000'000));
    choice("", policy.fate, Fate::banned);
    choice("", policy.exam, Exam::duplicates);
    choice("", policy.judges, Judges::panel);
    policy.panel_size = 1 + static_cast<uint32_t>(draw(kMaxPanel));
    policy.panel_votes = 1 + static_cast<uint32_t>(draw(policy.panel_size));
    policy.panel_reputation = draw(kReputationOne);
    policy.panel_hours = 1 + static_cast<uint32_t>(draw(kMaxPanelHours));
    policy.join_work = static_cast<uint32_t>(draw(kMaxJoinWork + 1));
    choice("", policy.averaging, Averaging::at_acceptance);
    choice("", policy.clip, Clip::median);
    policy.clip_norm = 1 + draw(uint64_t{1} << 62);
    for (uint64_t knots = draw(5); knots > 0; --knots) {
      policy.rate.push_back(
          {policy.rate.back().round + 1 + static_cast<uint32_t>(draw(1000)), draw(kMaxRate)});
    }
    return policy;
  }

  uint64_t draw(uint64_t below) { return random_() % below; }

 private:
  std::mt19937_64& random_;
};

inline Event random_event(std::mt19937_64& random) {
  Event event;
  RandomArchive archive(random);
  fields(archive, event);
  return event;
}

}  // namespace cairn::ledger
