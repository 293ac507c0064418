// The HTTP interface of a hosted project: from requests to the coordinator, the log's static resources and
// the blobs. docs/formats/protocol.md describes every resource, docs/formats/openapi.yaml for programs.
//
// Knows no sockets: it gives net::Routes, so that a test or a simulator may call it. Safe to call from
// several threads. The coordinator outlives it.
#pragma once

#include "net/server.h"
#include "role/coordinator.h"
#include "role/disputes.h"
#include "role/incoming.h"
#include "role/unit_request.h"

namespace cairn::role {

inline constexpr uint32_t kMaxLogLines = 100;  // of one answer
inline constexpr std::string_view kNewsChannel = "news";

class Service {
 public:
  Service(Coordinator& coordinator, Environment& environment);

  net::Route route(const net::Request& head);

  // What subscribers of /v1/events are told.
  static net::Event event(const Coordinator::News& news);

 private:
  net::Route get(const net::Request& head);
  net::Route post(const net::Request& head);
  net::Route put(const net::Request& head);
  net::Route put_upload(const net::Request& head, std::string_view name);
  net::Route put_state(const net::Request& head, std::string_view name);

  std::variant<UnitRequest, net::Response> checked_request(BytesView body, UnitRequest::Kind kind,
                                                           std::string_view join_work = {}) const;
  Status check_acquaintance(const PublicKey& author, std::string_view what) const;
  void take_unit(const net::Request& request, const net::Reply& reply);
  void return_unit(const net::Request& request, const net::Reply& reply);
  Result<UnitRequest> checked_ticket(std::string_view ticket, UnitRequest::Kind kind) const;
  Status may_upload(std::string_view ticket) const;
  void submit(const net::Request& request, const net::Reply& reply);
  void submit_uploaded(project::Submission submission, const net::Reply& reply);
  void submit_prepared(project::Submission submission, const work::GradientSummary& gradient,
                       PreparedBlob blob, const net::Reply& reply);
  void say(const net::Request& request, const net::Reply& reply);

  Coordinator& coordinator_;
  Environment& environment_;
  BlobStore blobs_;
  data::ShardStore shards_;
  work::GradientStore gradients_;
  project::SnapshotStore snapshots_;
  Incoming incoming_;
  Disputes disputes_;
  // Of a log of so many events. The sequencer's alone.
  std::pair<uint64_t, std::string> leaderboard_, checkpoint_;
};

}  // namespace cairn::role
