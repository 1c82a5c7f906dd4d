// One training step of a model whose shape is told on the command line: what `bench step` times and `profile` explains.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <lintel/autograd/tape.hpp>
#include <lintel/models/language_model.hpp>

namespace lintel::tools {

/// The architecture of a model.
struct Architecture {
  std::string attention = "glu", positions = "learned", feed_forward = "gelu";
  int kernel_layers = 1;
  std::int64_t hidden = 256, mlp = 1024, heads = 4, kv_heads = 0, blocks = 4, vocab = 256;
  bool checkpoint = false;
};

/// The attention called `name`: "softmax", or a feature map of kernel attention.
nn::AttentionConfig attention_config(const std::string& name, int kernel_layers);

/// A language model of random weights. Throws `Error` for sizes that make no model.
models::LanguageModel make_language_model(const Architecture& architecture, std::int64_t longest, Rng& rng);

/// Adds --kernel-layers to `command`.
void add_kernel_layers_option(CLI::App& command, int& layers);

/// Adds an option for each member of `architecture` but `checkpoint`, which only training knows, to `command`.
void add_architecture_options(CLI::App& command, Architecture& architecture);

/// The shape of the model and of its batch.
struct ModelShape : Architecture {
  std::string task = "classify", dtype = "float32";
  std::int64_t length = 4000, batch = 4, threads = 0;
  bool forward_only = false;
};

/// Adds an option for each member of `shape` to `command`.
void add_shape_options(CLI::App& command, ModelShape& shape);

/// A model of a shape, made of random weights, and a batch of random tokens.
struct BenchModel {
  std::int64_t parameters = 0;
  /// One step of forward, backward and AdamW, or forward alone; returns the loss. Where `times` is given, a tape leaves
  /// there how long each op took.
  std::function<double(std::vector<OpTime>* times)> step;
};

/// The classifier has mean pooling and one linear layer behind it; the language model predicts all tokens but the
/// first. There is no dropout. The task mlp has vectors in the place of tokens. Throws `Error` for sizes that make no
/// model.
BenchModel make_bench_model(const ModelShape& shape);

}  // namespace lintel::tools
