// The layout of every event, once: each fields() lists the fields of a struct in the order of their bytes.
//
// An archive visits them: the encoder writes, the decoder reads, a printer prints. An archive has
//   archive(name, value)              an integer, truth value, digest, key, signature, optional or nested
//   struct archive.choice(name, value, last) an enumeration whose values are 0 to `last` archive.list(name,
//   values, max)   a vector of at most `max` items archive.body(body)                the kind number and the
//   fields of a Body archive.version(number)           the number of the layout
#pragma once

#include <concepts>
#include <type_traits>

#include "ledger/event.h"

namespace cairn::ledger {

inline constexpr uint16_t kStatementVersion = 1;

// The high byte of a kind's number says who signs: 1 root, 2 user, 3 judge, 4 coordinator. Append only.
struct Kind {
  uint16_t number;
  std::string_view name;
};
template <class B>
inline constexpr Kind kKind{};

// A struct or its const form, so that one function serves readers and writers.
template <class T, class Struct>
concept Is = std::same_as<std::remove_const_t<T>, Struct>;

void fields(auto& archive, Is<RateKnot> auto& knot) {
  archive("round", knot.round);
  archive("rate", knot.rate);
}

void fields(auto& archive, Is<Policy> auto& policy) {
  archive("minimum", policy.minimum);
  archive("maximum", policy.maximum);
  archive.choice("growth", policy.growth, Growth::exponential);
  archive("step", policy.step);
  archive("growth_ppm", policy.growth_ppm);
  archive("max_steps_per_round", policy.max_steps_per_round);
  archive.choice("fate", policy.fate, Fate::banned);
  archive.choice("exam", policy.exam, Exam::duplicates);
  archive("exam_entries", policy.exam_entries);
  archive("judge_votes", policy.judge_votes);
  archive.choice("judges", policy.judges, Judges::panel);
  archive("panel_size", policy.panel_size);
  archive("panel_votes", policy.panel_votes);
  archive("panel_reputation", policy.panel_reputation);
  archive("panel_hours", policy.panel_hours);
  archive("join_work", policy.join_work);
  archive("quorum", policy.quorum);
  archive("round_time", policy.round_time);
  archive("staleness", policy.staleness);
  archive.choice("averaging", policy.averaging, Averaging::at_acceptance);
  archive.list("rate", policy.rate, kMaxRateKnots);
  archive("round_size", policy.round_size);
  archive.choice("clip", policy.clip, Clip::median);
  archive("clip_norm", policy.clip_norm);
  archive("refresh_rounds", policy.refresh_rounds);
  archive("max_rise", policy.max_rise);
  archive("floor_rounds", policy.floor_rounds);
  archive("horizon", policy.horizon);
}

// -- Root

template <>
inline constexpr Kind kKind<Genesis> = {0x0101, "genesis"};
void fields(auto& archive, Is<Genesis> auto& genesis) {
  archive("name", genesis.name);
  archive("model", genesis.model);
  archive("manifest", genesis.manifest);
  archive("recipe", genesis.recipe);
  archive("parameters", genesis.parameters);
  archive("policy", genesis.policy);
  archive("arithmetic_version", genesis.arithmetic_version);
  archive("root", genesis.root);
  archive("coordinator", genesis.coordinator);
  archive.list("judges", genesis.judges, kMaxJudges);
  archive("fork_of", genesis.fork_of);
}

template <>
inline constexpr Kind kKind<SettingsChanged> = {0x0102, "settings changed"};
void fields(auto& archive, Is<SettingsChanged> auto& body) {
  archive("from_round", body.from_round);
  archive("policy", body.policy);
}

template <>
inline constexpr Kind kKind<CoordinatorMoved> = {0x0103, "coordinator moved"};
void fields(auto& archive, Is<CoordinatorMoved> auto& body) {
  archive("coordinator", body.coordinator);
}

template <>
inline constexpr Kind kKind<JudgeAdded> = {0x0104, "judge added"};
void fields(auto& archive, Is<JudgeAdded> auto& body) {
  archive("judge", body.judge);
}

template <>
inline constexpr Kind kKind<JudgeRemoved> = {0x0105, "judge removed"};
void fields(auto& archive, Is<JudgeRemoved> auto& body) {
  archive("judge", body.judge);
}

template <>
inline constexpr Kind kKind<Endowed> = {0x0106, "endowed"};
void fields(auto& archive, Is<Endowed> auto& body) {
  archive("user", body.user);
  archive("reputation", body.reputation);
}

template <>
inline constexpr Kind kKind<Paused> = {0x0107, "paused"};
void fields(auto& archive, Is<Paused> auto& body) {
  archive("paused", body.paused);
}

template <>
inline constexpr Kind kKind<RolledBack> = {0x0108, "rolled back"};
void fields(auto& archive, Is<RolledBack> auto& body) {
  archive("to_round", body.to_round);
}

template <>
inline constexpr Kind kKind<VerdictVoided> = {0x0109, "verdict voided"};
void fields(auto& archive, Is<VerdictVoided> auto& body) {
  archive("claim", body.claim);
}

// -- User

template <>
inline constexpr Kind kKind<Joined> = {0x0201, "joined"};
void fields(auto& archive, Is<Joined> auto& body) {
  archive("nonce", body.nonce);
}

template <>
inline constexpr Kind kKind<NameChosen> = {0x0202, "name chosen"};
void fields(auto& archive, Is<NameChosen> auto& body) {
  archive("name", body.name);
}

template <>
inline constexpr Kind kKind<DeviceKeyAdded> = {0x0203, "device key added"};
void fields(auto& archive, Is<DeviceKeyAdded> auto& body) {
  archive("device", body.device);
}

template <>
inline constexpr Kind kKind<DeviceKeyRemoved> = {0x0204, "device key removed"};
void fields(auto& archive, Is<DeviceKeyRemoved> auto& body) {
  archive("device", body.device);
}

template <>
inline constexpr Kind kKind<KeyRotated> = {0x0205, "key rotated"};
void fields(auto& archive, Is<KeyRotated> auto& body) {
  archive("successor", body.successor);
}

template <>
inline constexpr Kind kKind<EntrySealed> = {0x0206, "entry sealed"};
void fields(auto& archive, Is<EntrySealed> auto& body) {
  archive("round", body.round);
  archive("unit", body.unit);
  archive("seal", body.seal);
}

template <>
inline constexpr Kind kKind<EntryOpened> = {0x0207, "entry opened"};
void fields(auto& archive, Is<EntryOpened> auto& body) {
  archive("seal", body.seal);
  archive("gradient", body.gradient);
}

template <>
inline constexpr Kind kKind<ClaimFiled> = {0x0208, "claim filed"};
void fields(auto& archive, Is<ClaimFiled> auto& body) {
  archive("entry", body.entry);
  archive("seal", body.seal);
}

template <>
inline constexpr Kind kKind<AppealFiled> = {0x0209, "appeal filed"};
void fields(auto& archive, Is<AppealFiled> auto& body) {
  archive("claim", body.claim);
  archive("gradient", body.gradient);
}

template <>
inline constexpr Kind kKind<Evaluated> = {0x020A, "evaluated"};
void fields(auto& archive, Is<Evaluated> auto& body) {
  archive("round", body.round);
  archive("correct", body.correct);
  archive("images", body.images);
  archive("loss", body.loss);
}

template <>
inline constexpr Kind kKind<ClaimOpened> = {0x020B, "claim opened"};
void fields(auto& archive, Is<ClaimOpened> auto& body) {
  archive("claim", body.claim);
  archive("gradient", body.gradient);
}

void fields(auto& archive, Is<Stretch> auto& stretch) {
  archive("index", stretch.index);
  archive("before", stretch.before);
  archive("after", stretch.after);
}

template <>
inline constexpr Kind kKind<StretchClaimed> = {0x020C, "stretch claimed"};
void fields(auto& archive, Is<StretchClaimed> auto& body) {
  archive("entry", body.entry);
  archive("stretch", body.stretch);
  archive("seal", body.seal);
}

// -- Judge

template <>
inline constexpr Kind kKind<VoteSealed> = {0x0301, "vote sealed"};
void fields(auto& archive, Is<VoteSealed> auto& body) {
  archive("claim", body.claim);
  archive("seal", body.seal);
}

template <>
inline constexpr Kind kKind<VoteOpened> = {0x0302, "vote opened"};
void fields(auto& archive, Is<VoteOpened> auto& body) {
  archive("claim", body.claim);
  archive("gradient", body.gradient);
}

// -- Coordinator

template <>
inline constexpr Kind kKind<RoundOpened> = {0x0401, "round opened"};
void fields(auto& archive, Is<RoundOpened> auto& body) {
  archive("round", body.round);
  archive("snapshot", body.snapshot);
  archive("state", body.state);
}

template <>
inline constexpr Kind kKind<RoundClosed> = {0x0402, "round closed"};
void fields(auto& archive, Is<RoundClosed> auto& body) {
  archive("round", body.round);
  archive.choice("reason", body.reason, CloseReason::deadline);
  archive("openings", body.openings);
  archive("floor", body.floor);
}

template <>
inline constexpr Kind kKind<MismatchFound> = {0x0403, "mismatch found"};
void fields(auto& archive, Is<MismatchFound> auto& body) {
  archive("entry", body.entry);
  archive("gradient", body.gradient);
}

template <>
inline constexpr Kind kKind<VerdictReached> = {0x0404, "verdict reached"};
void fields(auto& archive, Is<VerdictReached> auto& body) {
  archive("claim", body.claim);
  archive("upheld", body.upheld);
  archive("gradient", body.gradient);
}

template <>
inline constexpr Kind kKind<EntryUnavailable> = {0x0405, "entry unavailable"};
void fields(auto& archive, Is<EntryUnavailable> auto& body) {
  archive("entry", body.entry);
}

template <>
inline constexpr Kind kKind<EntrySuspended> = {0x0406, "entry suspended"};
void fields(auto& archive, Is<EntrySuspended> auto& body) {
  archive("entry", body.entry);
}

template <>
inline constexpr Kind kKind<BlobsDropped> = {0x0407, "blobs dropped"};
void fields(auto& archive, Is<BlobsDropped> auto& body) {
  archive("entry", body.entry);
}

template <>
inline constexpr Kind kKind<PanelDrawn> = {0x0408, "panel drawn"};
void fields(auto& archive, Is<PanelDrawn> auto& body) {
  archive("claim", body.claim);
  archive("lot", body.lot);
}

template <>
inline constexpr Kind kKind<LotSealed> = {0x0409, "lot sealed"};
void fields(auto& archive, Is<LotSealed> auto& body) {
  archive("seal", body.seal);
}

// -- Around the bodies

void fields(auto& archive, Is<LogHead> auto& head) {
  archive("size", head.size);
  archive("root", head.root);
}

void signed_fields(auto& archive, Is<Statement> auto& statement) {
  archive.version(kStatementVersion);
  archive("project", statement.project);
  archive("seen", statement.seen);
  archive("author", statement.author);
  archive.body(statement.body);
}

void fields(auto& archive, Is<Statement> auto& statement) {
  signed_fields(archive, statement);
  archive("signature", statement.signature);
}

void fields(auto& archive, Is<Event> auto& event) {
  archive("time", event.time);
  fields(archive, event.statement);
}

}  // namespace cairn::ledger
