#include "work/templates.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/result.h"

namespace cairn::work {
namespace {

constexpr std::string_view kImageClassification =
    R"(# The recipe of an image classifier: everything besides model and data that decides what a gradient is.
# It is part of the project and never changes; two people with the same recipe compute the same bytes.

[training]
seed = 1                  # of shuffling, augmentation and rounding
batch = 16                # images that go through the model together
accumulation = 1          # batches whose mean gradient makes one step
local_steps = 64          # 0: a unit is one plain gradient; N: the change that N optimizer steps make
                          # A unit of work has batch * accumulation * max(1, local_steps) images.
precision = "standard"    # of the integers in products: "standard" (13 bits), "high" (14 bits) or "fast" (8 bits)
trace = 16                # local steps between two digests of the state: a dispute is about so many steps
label_smoothing = 0       # 0.1 is usual for ImageNet
mixup = 0                 # 0.2: mixes pairs of images and their labels; 0: does not

[inner]                   # the optimizer of the local steps; it starts afresh in every unit
optimizer = "sgd"         # "sgd" or "adamw"
rate = 0.025              # a number, or [[round, rate], ...] with straight lines between
schedule = "constant"     # "cosine" with `rounds`, or "steps" with `milestones` and `factor`
warmup_steps = 4          # the rate grows to its full value over so many steps of a unit
momentum = 0.9
nesterov = true
weight_decay = 0.0001
clip = 0                  # the largest norm of a step's gradient; 0: none

[gradient]                # how a gradient travels
bits = 16                 # of each value: 16, 8 or 4
block_size = 256          # values that share a power-of-two scale
keep = 1                  # the part of the values that travels, the largest; 1: all

[input]                   # a pixel p becomes (p / 255 - mean) / deviation
mean = [0.5]              # one number for each channel, or one for all
deviation = [0.25]        # `cairn new` writes those of the data here
size = 0                  # side of the square that the model sees; 0: images as the data set has them

[augmentation]            # of training images, by chance
crop = "none"             # "padded" (with `padding`), or "resized" (with `min_area`, `max_ratio`), usual for photographs
flip = false              # left and right; not for digits and letters
brightness = 0            # 0.4: times 0.6 to 1.4; so also contrast and saturation

[evaluation]
sample = 2048             # training images from which batch normalization's statistics are taken
every = 10                # rounds between two evaluations by contributors, signed and in the log; 0: none
images = 0                # test images that they are made on; 0: all
)";

constexpr std::string_view kFineTune =
    R"(# The recipe of fine-tuning an image classifier that was trained before: small steps, from good weights.
#   cairn new study --template fine-tune --model model.onnx --weights model.safetensors --data photos
# A model exported from PyTorch has its weights with it; --weights takes others.

[training]
seed = 1                  # of shuffling, augmentation and rounding
batch = 16                # images that go through the model together
accumulation = 1          # batches whose mean gradient makes one step
local_steps = 32          # optimizer steps in a unit of work
precision = "standard"
trace = 8                 # local steps between two digests of the state: a dispute is about so many steps
label_smoothing = 0.1     # keeps a small data set from being learnt by heart

[inner]                   # the optimizer of the local steps; it starts afresh in every unit
optimizer = "sgd"
rate = 0.002              # a tenth of what training from nothing takes
schedule = "cosine"       # falls to nothing in so many rounds
rounds = 100
warmup_steps = 4          # the rate grows to its full value over so many steps of a unit
momentum = 0.9
nesterov = true
weight_decay = 0.0001
clip = 1                  # no single batch takes the model far from where it was

[gradient]                # how a gradient travels
bits = 8                  # of each value: 16, 8 or 4
block_size = 256          # values that share a power-of-two scale

[input]                   # as the weights were trained: these are torchvision's
mean = [0.485, 0.456, 0.406]
deviation = [0.229, 0.224, 0.225]

[augmentation]            # of training images, by chance
crop = "resized"
min_area = 0.25           # of the image that is cut out at the least
flip = true               # left and right; not for digits and letters

[evaluation]
sample = 2048             # training images from which batch normalization's statistics are taken
every = 5                 # rounds between two evaluations by contributors, signed and in the log; 0: none
)";

constexpr std::string_view kLanguageModel =
    R"(# The recipe of a language model: predicts each token of a text from those before it.
#   cairn data import book -o tokens --context 128    (a folder with train.txt and val.txt)
#   cairn new study --template language-model --model gpt.onnx --data tokens

[training]
seed = 1                  # of shuffling, dropout and rounding
batch = 8                 # pieces of text that go through the model together
accumulation = 1          # batches whose mean gradient makes one step
local_steps = 64          # optimizer steps in a unit of work
precision = "standard"
trace = 16                # local steps between two digests of the state: a dispute is about so many steps

[inner]                   # the optimizer of the local steps; it starts afresh in every unit
optimizer = "adamw"
rate = 0.001
schedule = "cosine"       # falls to `final_rate` in so many rounds
rounds = 500
final_rate = 0.0001
warmup_rounds = 5
warmup_steps = 16         # AdamW knows little at first: its moments start at zero in every unit
beta1 = 0.9
beta2 = 0.98
weight_decay = 0.01
clip = 1

[gradient]                # how a gradient travels
bits = 8                  # of each value: 16, 8 or 4
block_size = 256          # values that share a power-of-two scale

[evaluation]
sample = 64               # used by batch normalization alone
every = 10                # rounds between two evaluations by contributors, signed and in the log; 0: none
images = 512              # pieces of the held-out text
)";

std::string list_of(std::span<const double> numbers) {
  std::string list;
  for (const double number : numbers) {
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed, 3);
    list += (list.empty() ? "" : ", ") + std::string(digits, end.ptr);
  }
  return "[" + list + "]";
}

// The line that sets `key`, with the same comment in the same place.
void replace_list(std::string& text, std::string_view key, std::span<const double> numbers) {
  const std::string start = std::string(key) + " = ";
  const size_t begin = text.find("\n" + start + "[") + 1;
  CAIRN_ASSERT(begin != 0);
  const size_t comment = std::min(text.find('#', begin), text.find('\n', begin));
  std::string line = start + list_of(numbers);
  line.resize(std::max(line.size() + 1, comment - begin), ' ');
  text.replace(begin, comment - begin, line);
}

constexpr std::array<Template, 3> kTemplates = {{
    {"image-classification", "train an image classifier from nothing", kImageClassification, true},
    {"fine-tune", "go on training a classifier from given weights", kFineTune},
    {"language-model", "train a model that predicts text", kLanguageModel},
}};

}  // namespace

std::span<const Template> templates() {
  return kTemplates;
}

std::string with_pixels(std::string_view recipe, std::span<const double> mean,
                        std::span<const double> deviation) {
  std::string text(recipe);
  replace_list(text, "mean", mean);
  replace_list(text, "deviation", deviation);
  return text;
}

const Template* find_template(std::string_view name) {
  const auto found = std::ranges::find(kTemplates, name, &Template::name);
  return found == kTemplates.end() ? nullptr : &*found;
}

}  // namespace cairn::work
