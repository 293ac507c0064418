// Answers to requests that several parts of the service give.
#pragma once

#include "net/server.h"
#include "role/coordinator.h"

namespace cairn::role {

// Of an operation that the coordinator did not do.
net::Response refused(const Refusal& refusal);
// The receipts of what was acknowledged, or why it was not.
Answer<std::vector<ledger::Receipt>> receipts_to(const net::Reply& reply);
// How many bytes of an upload are here.
net::Response received_response(uint64_t bytes);

net::Response too_much_waits();
net::Response disk_fails();
net::Response no_digest();

}  // namespace cairn::role
