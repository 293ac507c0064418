// Loops over independent items, spread over a ThreadPool in pieces that are worth a thread's while.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/threads.h"

namespace cairn::exact {

// Calls body(begin, end, worker) for pieces that cover [0, count), each of at least about `grain` items.
template <typename Body>
void parallel_for(ThreadPool& pool, int64_t count, int64_t grain, const Body& body) {
  constexpr int64_t kPiecesPerThread = 4;  // uneven threads even out
  const int64_t pieces = std::min(count / std::max<int64_t>(grain, 1), pool.size() * kPiecesPerThread);
  if (pool.size() == 1 || pieces <= 1) {
    if (count > 0) body(int64_t{0}, count, 0);
    return;
  }
  pool.run(pieces, [&](int64_t piece, int worker) {
    body(count * piece / pieces, count * (piece + 1) / pieces, worker);
  });
}

}  // namespace cairn::exact
