// Functions of one variable, and what is made of them: powers, PRelu, Gelu. Each becomes operators of the
// canonical model whose results and gradients are defined one by one.
#include <cmath>
#include <limits>

#include "onnx/convert.h"

namespace cairn::onnx {
namespace {

using model::Attributes;
using model::Operator;
using model::ValueId;

struct NamedFunction {
  std::string_view op_type;
  Operator op;
};
constexpr NamedFunction kFunctions[] = {
    {"Abs", Operator::abs},
    {"Erf", Operator::erf},
    {"Exp", Operator::exp},
    {"HardSwish", Operator::hard_swish},
    {"Log", Operator::log},
    {"Neg", Operator::neg},
    {"Reciprocal", Operator::reciprocal},
    {"Relu", Operator::relu},
    {"Sigmoid", Operator::sigmoid},
    {"Softplus", Operator::softplus},
    {"Sqrt", Operator::sqrt},
    {"Tanh", Operator::tanh},
};

Attributes constants(float alpha, float beta = 0) {
  Attributes attributes;
  attributes.alpha = alpha;
  attributes.beta = beta;
  return attributes;
}

// x ^ n for the n of 1, 2, 3 and 0.5.
Result<ValueId> positive_power(NodeContext& c, ValueId x, float n, const std::string& suffix) {
  if (n == 1) return x;
  if (n == 2) return c.add(Operator::square, {x}, {}, suffix);
  if (n == 3) return c.add(Operator::cube, {x}, {}, suffix);
  if (n == 0.5f) return c.add(Operator::sqrt, {x}, {}, suffix);
  return Error{"its exponent is " + std::to_string(n) + "; expected 1, 2, 3, 0.5 or one of their negatives"};
}

// 0.5 x (1 + erf(x / sqrt 2))
Result<ValueId> exact_gelu(NodeContext& c, ValueId x) {
  CAIRN_TRY(const ValueId scaled,
            c.add(Operator::multiply_constant, {x}, constants(0x1.6a09e6p-1f), "/scaled"));
  CAIRN_TRY(const ValueId erf, c.add(Operator::erf, {scaled}, {}, "/erf"));
  CAIRN_TRY(const ValueId sum, c.add(Operator::add_constant, {erf}, constants(1), "/sum"));
  CAIRN_TRY(const ValueId product, c.add(Operator::multiply, {x, sum}, {}, "/product"));
  return c.add(Operator::multiply_constant, {product}, constants(0.5f));
}

// 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))
Result<ValueId> tanh_gelu(NodeContext& c, ValueId x) {
  CAIRN_TRY(const ValueId cube, c.add(Operator::cube, {x}, {}, "/cube"));
  CAIRN_TRY(const ValueId small, c.add(Operator::multiply_constant, {cube}, constants(0.044715f), "/small"));
  CAIRN_TRY(const ValueId bent, c.add(Operator::add, {x, small}, {}, "/bent"));
  CAIRN_TRY(const ValueId scaled,
            c.add(Operator::multiply_constant, {bent}, constants(0x1.988454p-1f), "/scaled"));
  CAIRN_TRY(const ValueId tanh, c.add(Operator::tanh, {scaled}, {}, "/tanh"));
  CAIRN_TRY(const ValueId sum, c.add(Operator::add_constant, {tanh}, constants(1), "/sum"));
  CAIRN_TRY(const ValueId product, c.add(Operator::multiply, {x, sum}, {}, "/product"));
  return c.add(Operator::multiply_constant, {product}, constants(0.5f));
}

Status name_output(NodeContext& c, const Result<ValueId>& value) {
  if (!value) return value.error();
  return c.output(Activation{*value});
}

}  // namespace

Status convert_function(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  for (const NamedFunction& function : kFunctions) {
    if (function.op_type == c.node.op_type()) return c.add_output(function.op, {x});
  }
  return Error{"is no function of one variable"};
}

Status convert_clip(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 3));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  float low = std::numeric_limits<float>::lowest(), high = std::numeric_limits<float>::max();
  if (c.has_input(1)) {
    CAIRN_TRY(low, c.real(1));
  }
  if (c.has_input(2)) {
    CAIRN_TRY(high, c.real(2));
  }
  return c.add_output(Operator::clip, {x}, constants(low, high));
}

Status convert_leaky_relu(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  return c.add_output(Operator::leaky_relu, {x}, constants(c.attributes.real("alpha", 0.01f)));
}

Status convert_elu(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  return c.add_output(Operator::selu, {x}, constants(c.attributes.real("alpha", 1), 1));
}

Status convert_selu(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  const float alpha = c.attributes.real("alpha", 1.67326319217681884765625f);
  return c.add_output(Operator::selu, {x},
                      constants(alpha, c.attributes.real("gamma", 1.05070102214813232421875f)));
}

Status convert_hard_sigmoid(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  const float alpha = c.attributes.real("alpha", 0.2f);
  return c.add_output(Operator::hard_sigmoid, {x}, constants(alpha, c.attributes.real("beta", 0.5f)));
}

// relu(x) - slope * relu(-x)
Status convert_prelu(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  CAIRN_TRY(const ValueId x, c.activation(0));
  CAIRN_TRY(const ValueId slope, c.parameter(1));
  CAIRN_TRY(const ValueId above, c.add(Operator::relu, {x}, {}, "/above"));
  CAIRN_TRY(const ValueId negated, c.add(Operator::neg, {x}, {}, "/negated"));
  CAIRN_TRY(const ValueId size, c.add(Operator::relu, {negated}, {}, "/size"));
  CAIRN_TRY(const ValueId below, c.add(Operator::neg, {size}, {}, "/below"));
  CAIRN_TRY(const ValueId sloped, c.add(Operator::multiply, {below, slope}, {}, "/sloped"));
  return c.add_output(Operator::add, {above, sloped});
}

Status convert_gelu(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  const std::string form = c.attributes.text("approximate", "none");
  if (form != "none" && form != "tanh") return Error{"approximate must be 'none' or 'tanh'"};
  return name_output(c, form == "none" ? exact_gelu(c, x) : tanh_gelu(c, x));
}

// x * tanh(softplus(x))
Status convert_mish(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  CAIRN_TRY(const ValueId softplus, c.add(Operator::softplus, {x}, {}, "/softplus"));
  CAIRN_TRY(const ValueId tanh, c.add(Operator::tanh, {softplus}, {}, "/tanh"));
  return c.add_output(Operator::multiply, {x, tanh});
}

// x / (1 + |x|)
Status convert_softsign(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(1, 1));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  CAIRN_TRY(const ValueId size, c.add(Operator::abs, {x}, {}, "/size"));
  CAIRN_TRY(const ValueId sum, c.add(Operator::add_constant, {size}, constants(1), "/sum"));
  CAIRN_TRY(const ValueId inverse, c.add(Operator::reciprocal, {sum}, {}, "/inverse"));
  return c.add_output(Operator::multiply, {x, inverse});
}

Status convert_pow(NodeContext& c) {
  CAIRN_CHECK(c.expect_inputs(2, 2));
  CAIRN_TRY(const ValueId x, c.elementwise(0));
  float exponent = 0;
  CAIRN_TRY(const Binding binding, c.input(1));
  if (std::holds_alternative<Integers>(binding)) {
    CAIRN_TRY(const std::vector<int64_t> values, c.known_integers(1));
    if (values.size() != 1) return Error{"its exponent must be one number"};
    exponent = static_cast<float>(values[0]);
  } else {
    CAIRN_TRY(exponent, c.real(1));
  }
  if (exponent >= 0) return name_output(c, positive_power(c, x, exponent, ""));
  CAIRN_TRY(const ValueId power, positive_power(c, x, -exponent, "/power"));
  return c.add_output(Operator::reciprocal, {power});
}

}  // namespace cairn::onnx
