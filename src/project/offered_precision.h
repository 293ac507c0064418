// Which models a precision is offered for, as the evidence in docs/internals/precision.md says.
#pragma once

#include "model/graph.h"
#include "model/precision.h"

namespace cairn::project {

// `standard` and `high` are offered for every model, `fast` for those of whose kind one was shown to learn
// with it as with binary32. A refusal says what in the model is of another kind. It is asked when a project
// is made; to compute for a project that exists nobody asks. Precondition: the graph is verified.
Status check_offered(const model::Graph& graph, model::Precision precision);

}  // namespace cairn::project
