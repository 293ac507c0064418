#include "exact/convolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "exact/arithmetic.h"
#include "exact/isa_test.h"
#include "exact/product_test_values.h"
#include "exact/reference.h"
#include "exact/test_values.h"

namespace cairn::exact {
namespace {

std::string describe(const Convolution& c) {
  std::string text;
  for (const int64_t value :
       {c.batch, c.channel_groups, c.in_channels, c.in_height, c.in_width, c.out_channels, c.out_height,
        c.out_width, c.kernel_height, c.kernel_width, c.stride_height, c.stride_width, c.pad_top, c.pad_left,
        c.dilation_height, c.dilation_width}) {
    text += std::to_string(value) + " ";
  }
  return text;
}

class ConvolutionTest : public IsaTest {
 protected:
  int64_t one_of(std::initializer_list<int64_t> values) { return values.begin()[random_() % values.size()]; }

  // An output may hang over the bottom and right as far as it likes: those are zeros.
  Convolution random_convolution() {
    Convolution c{};
    c.batch = one_of({1, 1, 2, 3, 5});
    c.channel_groups = one_of({1, 1, 1, 2, 3});
    c.in_channels = c.channel_groups * one_of({1, 2, 3, 5, 8, 17});
    c.out_channels = c.channel_groups * one_of({1, 2, 4, 7, 12, 13, 33});
    c.kernel_height = one_of({1, 1, 2, 3, 3, 5});
    c.kernel_width = one_of({1, 1, 2, 3, 3, 7});
    c.in_height = one_of({1, 2, 5, 7, 8, 13});
    c.in_width = one_of({1, 3, 6, 7, 11, 14});
    c.stride_height = one_of({1, 1, 2, 3});
    c.stride_width = one_of({1, 1, 2, 4});
    c.dilation_height = one_of({1, 1, 2, 5});
    c.dilation_width = one_of({1, 1, 3});
    c.pad_top = one_of({0, 0, 1, 2, 9});
    c.pad_left = one_of({0, 0, 1, 3, 20});
    c.out_height = one_of({1, 3, c.in_height, (c.in_height + 1) / 2, 9});
    c.out_width = one_of({1, 4, c.in_width, (c.in_width + 1) / 2, 10});
    return c;
  }

  void compare(const Convolution& c, const char* what, const std::vector<float>& expected,
               const std::vector<float>& got) {
    for (size_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(bits_of(got[i]), bits_of(expected[i]))
          << what << " of " << describe(c) << "at " << i << ": " << got[i] << " instead of " << expected[i];
    }
  }

  // All three directions against the reference, byte for byte.
  void check(const Convolution& c, Fill fill, int threads, int32_t least = -20, int32_t most = 10,
             int bits = 15) {
    ThreadPool pool(threads), one(1);
    const std::unique_ptr<Backend> fast = make_backend(GetParam(), pool);
    Reference reference(one);
    const int64_t in = c.in_channels / c.channel_groups, out = c.out_channels / c.channel_groups;
    const int64_t in_plane = c.in_height * c.in_width, out_plane = c.out_height * c.out_width;
    const int64_t taps = c.kernel_height * c.kernel_width;
    Values x = random_values(random_, c.batch * c.channel_groups, in * in_plane, fill, least, most);
    Values dy = random_values(random_, c.batch * c.channel_groups, out * out_plane, fill, least, most);
    Values w = random_values(random_, c.out_channels, in * taps, fill, least, most);
    for (Values* values : {&x, &dy, &w}) values->limit(bits);
    Values w_by_input = random_values(random_, c.in_channels, out * taps, Fill::uniform, least, most);
    w_by_input.integers = random_values(random_, c.out_channels, in * taps, fill, least, most).integers;
    w_by_input.limit(bits);

    std::vector<float> y(static_cast<size_t>(c.batch * c.out_channels * out_plane)), y_got(y.size(), -7.0f);
    reference.convolve(c, x.view(), w.view(), y.data());
    fast->convolve(c, x.view(), w.view(), y_got.data());
    compare(c, "forward", y, y_got);

    std::vector<float> dx(static_cast<size_t>(c.batch * c.in_channels * in_plane)), dx_got(dx.size(), -7.0f);
    reference.convolve_input_gradient(c, dy.view(), w_by_input.view(), dx.data());
    fast->convolve_input_gradient(c, dy.view(), w_by_input.view(), dx_got.data());
    compare(c, "input gradient", dx, dx_got);

    std::vector<float> dw(static_cast<size_t>(c.out_channels * in * taps)), dw_got(dw.size(), -7.0f);
    reference.convolve_weight_gradient(c, dy.view(), x.view(), dw.data());
    fast->convolve_weight_gradient(c, dy.view(), x.view(), dw_got.data());
    compare(c, "weight gradient", dw, dw_got);
  }

  // Both directions that are computed in binary32, and the weight gradient.
  void check_depthwise(const Convolution& c, Floats kind, int threads) {
    ThreadPool pool(threads), one(1);
    const std::unique_ptr<Backend> fast = make_backend(GetParam(), pool);
    Reference reference(one);
    const int64_t in = c.batch * c.in_channels * c.in_height * c.in_width,
                  out = c.batch * c.in_channels * c.out_height * c.out_width;
    const std::vector<float> x = random_floats(random_, in, kind), dy = random_floats(random_, out, kind);
    const std::vector<float> w =
        random_floats(random_, c.in_channels * c.kernel_height * c.kernel_width, Floats::few_values);
    std::vector<float> y(dy.size()), y_got(dy.size(), -7.0f), dx(x.size()), dx_got(x.size(), -7.0f);
    reference.depthwise_convolve(c, x.data(), w.data(), y.data());
    fast->depthwise_convolve(c, x.data(), w.data(), y_got.data());
    compare(c, "depthwise", y, y_got);
    reference.depthwise_input_gradient(c, dy.data(), w.data(), dx.data());
    fast->depthwise_input_gradient(c, dy.data(), w.data(), dx_got.data());
    compare(c, "depthwise input gradient", dx, dx_got);
  }

  std::mt19937_64 random_{20260102};
};

TEST_P(ConvolutionTest, RandomShapes) {
  for (int i = 0; i < 600; ++i) {
    const Fill fill = static_cast<Fill>(random_() % kFills);
    const int bits = static_cast<int>(one_of({8, 13, 14, 15}));
    check(random_convolution(), fill, 1 + static_cast<int>(random_() % 4), -20, 10, bits);
    if (HasFatalFailure()) return;
  }
}

// Three taps side by side, as FilteredConvolution takes them, with integers up to the largest that it takes.
TEST_P(ConvolutionTest, ThreeTapsWide) {
  for (int i = 0; i < 300; ++i) {
    Convolution c = random_convolution();
    c.kernel_width = 3;
    c.stride_width = c.stride_height = c.dilation_width = 1;
    c.in_width = one_of({2, 5, 8, 30, 64, 1100});
    c.out_width = one_of({c.in_width, c.in_width - 1, c.in_width + 3});
    const Fill fill = static_cast<Fill>(random_() % kFills);
    check(c, fill, 1 + static_cast<int>(random_() % 4), -20, 10, static_cast<int>(one_of({8, 13, 14})));
    if (HasFatalFailure()) return;
  }
}

// The same in tiles that are full, as their weight gradient needs it, with few exponents and with many.
TEST_P(ConvolutionTest, ThreeTapsWideOfManyChannels) {
  for (int i = 0; i < 60; ++i) {
    Convolution c = random_convolution();
    c.channel_groups = one_of({1, 1, 2});
    c.in_channels = c.channel_groups * one_of({15, 16, 30, 32, 63});
    c.out_channels = c.channel_groups * one_of({1, 12, 30});
    c.kernel_width = 3;
    c.stride_width = c.stride_height = c.dilation_width = 1;
    c.in_height = one_of({4, 14, 29});
    c.in_width = one_of({5, 14, 28, 60});
    c.out_height = c.in_height;
    c.out_width = one_of({c.in_width, c.in_width - 1, c.in_width + 2});
    c.pad_top = one_of({0, 1, 1, 2});
    c.pad_left = one_of({0, 1, 1, 3});
    const Fill fill = static_cast<Fill>(random_() % kFills);
    const int32_t most = static_cast<int32_t>(one_of({-3, -1, 9}));
    check(c, fill, 1 + static_cast<int>(random_() % 4), -3, most, static_cast<int>(one_of({13, 14})));
    if (HasFatalFailure()) return;
  }
}

TEST_P(ConvolutionTest, ExponentsAtBothEnds) {
  for (int i = 0; i < 60; ++i) {
    check(random_convolution(), Fill::with_empty_groups, 1, kMinExponent, kMinExponent);
    check(random_convolution(), Fill::with_empty_groups, 1, kMaxExponent, kMaxExponent);
    check(random_convolution(), Fill::with_empty_groups, 1, kMinExponent, kMaxExponent);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ConvolutionTest, Depthwise) {
  for (int i = 0; i < 300; ++i) {
    Convolution c = random_convolution();
    c.in_channels = c.out_channels = c.channel_groups = one_of({1, 2, 5, 20});
    ASSERT_TRUE(is_depthwise(c));
    const int threads = 1 + static_cast<int>(random_() % 4);
    for (const Floats kind : {Floats::plain, Floats::wide, Floats::subnormal, Floats::zeros})
      check_depthwise(c, kind, threads);
    check(c, static_cast<Fill>(random_() % kFills), threads);
    if (HasFatalFailure()) return;
  }
  const Convolution large{2, 3, 3, 112, 112, 3, 56, 56, 3, 3, 2, 2, 1, 1};
  check_depthwise(large, Floats::plain, 3);
  check(large, Fill::same_16383, 3);
}

// Layers of real networks, large enough for several tasks, slices and spills.
TEST_P(ConvolutionTest, RealLayers) {
  const Convolution layers[] = {
      {2, 1, 3, 40, 40, 20, 20, 20, 7, 7, 2, 2, 3, 3, 1, 1},
      {3, 1, 24, 28, 28, 16, 28, 28, 3, 3, 1, 1, 1, 1, 1, 1},
      {9, 1, 40, 7, 7, 50, 7, 7, 3, 3, 1, 1, 1, 1, 1, 1},
      {5, 1, 33, 14, 14, 70, 7, 7, 1, 1, 2, 2, 0, 0, 1, 1},
      {4, 1, 64, 12, 12, 64, 12, 12, 1, 1, 1, 1, 0, 0, 1, 1},
      {2, 24, 24, 15, 15, 24, 15, 15, 3, 3, 1, 1, 1, 1, 1, 1},
      {1, 1, 700, 4, 4, 10, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1},
      {1, 2, 6, 90, 90, 4, 90, 90, 3, 3, 1, 1, 2, 2, 2, 2},
      {8, 1, 64, 1, 1, 50, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1},
      {8, 1, 64, 2, 1, 50, 1, 1, 3, 3, 2, 2, 1, 1, 1, 1},
  };
  for (const Convolution& layer : layers) {
    for (const Fill fill : {Fill::uniform, Fill::same_16383})
      for (const int bits : {8, 13, 14, 15}) check(layer, fill, 2, -2, 2, bits);
    if (HasFatalFailure()) return;
  }
}

// Taps so far apart that the image between them would fill gigabytes, and so do not come with it.
TEST_P(ConvolutionTest, KernelsThatReachAbsurdlyFar) {
  check({2, 1, 512, 2, 2, 3, 2, 2, 2, 2, 1, 1, 0, 0, 8000, 8000}, Fill::uniform, 2);
  check({1, 1, 40, 2, 3, 3, 2, 3, 3, 3, 1, 1, 3000, 3000, 3000, 3000}, Fill::uniform, 2);
}

INSTANTIATE_TEST_SUITE_P(Isas, ConvolutionTest, testing::ValuesIn(fast_isas()), isa_suffix);

}  // namespace
}  // namespace cairn::exact
