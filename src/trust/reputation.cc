#include "trust/reputation.h"

#include <algorithm>

namespace cairn::trust {

using ledger::kReputationOne;

Reputation grown(const Policy& policy, Reputation reputation) {
  Reputation step = policy.step;
  if (policy.growth == ledger::Growth::exponential) {
    step = std::max<Reputation>(1, reputation * policy.growth_ppm / 1'000'000);
  }
  return std::min(policy.maximum, reputation + step);
}

Reputation refreshed(const Policy& policy, Reputation averaging, Reputation reputation, uint32_t round) {
  if (reputation <= averaging) return reputation;
  if (round % policy.refresh_rounds != 0) return averaging;
  return std::min(reputation, averaging + policy.max_rise);
}

Reputation bounty(const Policy& policy, Reputation culprit) {
  return (culprit - policy.minimum) / 2;
}

Reputation established_reputation(const Policy& policy) {
  Reputation reputation = policy.minimum;
  for (int step = 0; step < 10; ++step) reputation = grown(policy, reputation);
  return reputation;
}

uint32_t open_claim_limit(Reputation reputation) {
  return 1 + static_cast<uint32_t>(reputation / (kReputationOne / 10));
}

uint64_t floor_of(const Policy& policy, std::vector<uint64_t> weights) {
  const size_t count = std::min<size_t>(weights.size(), policy.floor_rounds);
  if (count == 0) return 0;
  weights.erase(weights.begin(), weights.end() - static_cast<std::ptrdiff_t>(count));
  const auto median = weights.begin() + static_cast<std::ptrdiff_t>((count - 1) / 2);
  std::nth_element(weights.begin(), median, weights.end());
  return *median / 2;
}

std::string to_decimal(Reputation reputation) {
  std::string digits = std::to_string(reputation % kReputationOne);
  digits.insert(0, 12 - digits.size(), '0');
  const size_t last = digits.find_last_not_of('0');
  digits.resize(std::max<size_t>(3, last == std::string::npos ? 0 : last + 1));
  return std::to_string(reputation / kReputationOne) + "." + digits;
}

Result<Reputation> from_decimal(std::string_view text) {
  constexpr size_t kDigits = 12;
  const size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  std::string fraction(text.substr(std::min(point + 1, text.size())));
  const bool digits = std::ranges::all_of(fraction, [](char c) { return c >= '0' && c <= '9'; });
  const bool complete = point == text.size() || !fraction.empty();
  if ((whole != "0" && whole != "1") || !digits || !complete || fraction.size() > kDigits) {
    return Error{"is no decimal from 0 to 1 with at most 12 digits after the point"};
  }
  fraction.resize(kDigits, '0');
  const Reputation value = (whole == "1" ? kReputationOne : 0) + std::stoull(fraction);
  if (value > kReputationOne) return Error{"is more than 1"};
  return value;
}

}  // namespace cairn::trust
