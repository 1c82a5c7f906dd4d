// One training step of a model whose shape is told on the command line: what `bench step` times and `profile` explains.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <lintel/autograd/tape.hpp>

namespace lintel::tools {

/// The shape of the model and of its batch.
struct ModelShape {
  std::string task = "classify", attention = "glu", positions = "learned", dtype = "float32";
  int kernel_layers = 1;
  std::int64_t length = 4000, batch = 4, hidden = 256, mlp = 1024, heads = 4, blocks = 4, vocab = 256;
  std::int64_t threads = 0;
  bool forward_only = false;
};

/// Adds an option for each member of `shape` to `command`.
void add_shape_options(CLI::App& command, ModelShape& shape);

/// A model of a shape, made of random weights, and a batch of random tokens.
struct BenchModel {
  std::int64_t parameters = 0;
  /// One step of forward, backward and AdamW, or forward alone; returns the loss. Where `times` is given, a backward
  /// pass leaves there how long each op took.
  std::function<double(std::vector<OpTime>* times)> step;
};

/// The classifier has mean pooling and one linear layer behind it; the language model predicts all tokens but the
/// first. There is no dropout. Throws `Error` for sizes that make no model.
BenchModel make_bench_model(const ModelShape& shape);

}  // namespace lintel::tools
