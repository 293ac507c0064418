// Element-wise steps one after the other, whose results need not go through memory.
//
// The definition is that each step is the Backend function of its name, applied to whole tensors in the order
// of the list; Reference::run_chain() does just that. A fast backend takes a block of elements through all
// steps while it lies in the cache.
#pragma once

#include <array>
#include <span>
#include <variant>

#include "exact/backend.h"

namespace cairn::exact {

// A whole tensor that a step reads: one in memory or, from 0 on, the result of an earlier step.
struct ChainInput {
  const float* tensor = nullptr;
  int step = -1;
};

struct ChainStep {
  enum class Kind : uint8_t {
    add,
    multiply,
    relu,
    relu_gradient,
    activate,
    activation_gradient,
    add_channels,
    multiply_channels,
    normalize
  };
  Kind kind = Kind::add;
  std::array<ChainInput, 2> inputs = {};         // in the order of the function's parameters
  std::array<const float*, 4> per_channel = {};  // c; or mean, inverse, gamma, beta
  Channels shape = {};                           // where something is per channel
  Activation function = Activation::sigmoid;     // with its constants
  float a = 0, b = 0;
  bool checked = false;    // a NaN or infinity in the result is divergence
  float* store = nullptr;  // where the result goes if somebody reads it later
};

// What the result of the last step may go to.
struct ChainQuantization {
  Groups groups = {};  // contiguous: groups.groups or groups.repeat is 1
  int bits = 15;
  bool dithered = false;
  uint32_t key = 0;
  Quantized out = {};
};
// The result is the dy of normalize_gradient(); if no step stores it, dx may be an input of steps. inner > 1.
struct ChainNormalizeGradient {
  const float* x = nullptr;
  Channels shape = {};
  const float *mean = nullptr, *inverse = nullptr, *gamma = nullptr;
  float *dgamma = nullptr, *dbeta = nullptr, *dx = nullptr;
};

// A stored result may be the same array as an input of the chain, if only the last step is stored there.
struct Chain {
  int64_t count = 0;  // of every whole tensor
  std::span<const ChainStep> steps = {};
  std::variant<std::monostate, ChainQuantization, ChainNormalizeGradient> end = {};
};

}  // namespace cairn::exact
