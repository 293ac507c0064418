// What bench/learn.py asks: the gradients of an ONNX model as Cairn computes them, for any parameters and any
// batch. Requests come on standard input, answers go to standard output; all numbers are little-endian.
//
// First a line of JSON says what the model is. A request is a letter and its operands, an answer a byte 0 and
// the results, or a byte 1, a u32 length and a message:
//   g: u64 seed, u32 step, parameters, input, i32 labels -> f32 loss, gradient
//   s: parameters, input -> statistics of batch normalization
//   l: parameters, statistics, input -> logits
//   p: -> the parameters that the file holds
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "model/network.h"
#include "onnx/sandbox.h"

namespace cairn::bench {
namespace {

struct Options {
  std::string model;
  int64_t batch = 32;
  std::vector<int> bits = {13, 13, 13};
};

template <typename T>
std::vector<T> receive(size_t count) {
  std::vector<T> values(count);
  if (std::fread(values.data(), sizeof(T), count, stdin) != count)
    throw std::runtime_error("a request ended early");
  return values;
}

template <typename T>
void send(std::span<const T> values) {
  std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

void send_error(const Error& error) {
  std::fputc(1, stdout);
  const auto length = static_cast<uint32_t>(error.message.size());
  send(std::span(&length, 1));
  send(std::span<const char>(error.message));
}

void send_result(const Result<std::vector<float>>& result) {
  if (!result) return send_error(result.error());
  std::fputc(0, stdout);
  send(std::span<const float>(*result));
}

class Server {
 public:
  Server(onnx::ImportedModel model, model::Network network)
      : model_(std::move(model)), network_(std::move(network)) {}

  void describe() const {
    nlohmann::ordered_json json = {{"batch", network_.batch()},
                                   {"classes", network_.classes()},
                                   {"input_count", network_.input_count()},
                                   {"statistics_count", network_.statistics_count()}};
    for (const auto& one : network_.parameters()) {
      json["parameters"].push_back({{"name", one.name}, {"shape", one.shape}, {"offset", one.offset}});
    }
    fmt::print("{}\n", json.dump());
    std::fflush(stdout);
  }

  // Until standard input ends.
  void serve() {
    for (int letter = std::fgetc(stdin); letter != EOF; letter = std::fgetc(stdin)) {
      answer(static_cast<char>(letter));
      std::fflush(stdout);
    }
  }

 private:
  std::vector<float> parameters() const { return receive<float>(network_.parameter_count()); }
  std::vector<float> input() const { return receive<float>(network_.input_count()); }

  void answer(char letter) {
    switch (letter) {
      case 'g':
        return gradient();
      case 's': {
        const std::vector<float> values = parameters();
        return send_result(network_.batch_statistics(values, input()));
      }
      case 'l': {
        const std::vector<float> values = parameters();
        const auto statistics = receive<float>(network_.statistics_count());
        return send_result(network_.logits(values, statistics, input()));
      }
      case 'p':
        return send_result(model_.parameters);
      default:
        throw std::runtime_error(fmt::format("a request begins with {:?}", letter));
    }
  }

  void gradient() {
    model::DitherKey key;
    key.seed = receive<uint64_t>(1)[0];
    key.step = receive<uint32_t>(1)[0];
    const std::vector<float> values = parameters();
    const std::vector<float> images = input();
    const auto labels = receive<int32_t>(static_cast<size_t>(network_.batch()));
    std::vector<float> result(values.size());
    const Result<float> loss = network_.gradient(values, images, labels, key, result);
    if (!loss) return send_error(loss.error());
    std::fputc(0, stdout);
    send(std::span(&*loss, 1));
    send(std::span<const float>(result));
  }

  onnx::ImportedModel model_;
  model::Network network_;
};

int main_of(int argc, char** argv) {
  Options options;
  CLI::App app("Serves gradients of an ONNX model to bench/learn.py");
  app.add_option("MODEL", options.model)->required();
  app.add_option("--batch", options.batch);
  app.add_option("--bits", options.bits, "of forward, input gradient and weight gradient products")
      ->delimiter(',')
      ->expected(3);
  CLI11_PARSE(app, argc, argv);
  auto imported = onnx::import_onnx_file(options.model);
  if (!imported) throw std::runtime_error(imported.error().message);
  ThreadPool pool(1);
  const auto backend = exact::make_backend(exact::isa_from_name("auto").value(), pool);
  const model::ProductBits bits{options.bits[0], options.bits[1], options.bits[2]};
  auto network = model::Network::compile(imported->graph, {.batch = options.batch, .bits = bits}, *backend);
  if (!network) throw std::runtime_error(network.error().message);
  Server server(std::move(*imported), std::move(*network));
  server.describe();
  server.serve();
  return 0;
}

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  try {
    return cairn::bench::main_of(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "learn: {}\n", error.what());
    return 1;
  }
}
