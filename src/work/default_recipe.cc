#include "work/recipe.h"

namespace cairn::work {
namespace {

constexpr std::string_view kDefaultRecipe =
    R"(# The recipe: everything besides model and data that decides what a gradient is.
# It is part of the project and never changes; two people with the same recipe compute the same bytes.

[training]
seed = 1                # of shuffling and rounding
batch = 16              # images that go through the model together
accumulation = 1        # batches whose mean gradient makes one step
local_steps = 64        # 0: a unit is one plain gradient; N: the change that N optimizer steps make
                        # A unit of work has batch * accumulation * max(1, local_steps) images.
precision = "standard"  # of the integers in products: "standard" (13 bits), "high" (14 bits) or "fast" (8 bits)

[inner]                 # the optimizer of the local steps; it starts afresh in every unit
optimizer = "sgd"       # "sgd" or "adamw"
rate = 0.025            # a number, or [[round, rate], ...] with straight lines between
warmup_steps = 4        # the rate grows to its full value over so many steps of a unit
momentum = 0.9
nesterov = true
weight_decay = 0.0001

[gradient]              # how a gradient travels
bits = 16               # of each value: 16 or 8
block_size = 256        # values that share a power-of-two scale

[input]                 # a pixel p becomes (p / 255 - mean) / deviation
mean = [0.286]          # one number for each channel, or one for all
deviation = [0.353]

[evaluation]
sample = 2048           # training images from which batch normalization's statistics are taken
)";

}  // namespace

std::string_view default_recipe() {
  return kDefaultRecipe;
}

}  // namespace cairn::work
