#include <lintel/tools/bench_model.hpp>

#include <memory>
#include <vector>

#include <lintel/core/matmul_precision.hpp>
#include <lintel/models/classifier.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/tools/command.hpp>

namespace lintel::tools {
namespace {

constexpr double learning_rate = 1e-4;

/// The models of `models::` with a head of one linear layer, as small as a measurement of the blocks wants it.
struct PlainClassifier {
  models::TokenEmbedding embedding;
  std::vector<nn::TransformerBlock> blocks;
  nn::LayerNorm norm;
  nn::Linear head;

  PlainClassifier(const ModelShape& shape, Rng& rng)
      : embedding({.vocab = shape.vocab,
                   .max_length = shape.length,
                   .hidden = shape.hidden,
                   .learned_positions = shape.positions == "learned"},
                  rng),
        blocks(nn::make_blocks(
            shape.blocks,
            {.hidden = shape.hidden,
             .mlp = shape.mlp,
             .heads = shape.heads,
             .attention = attention_config(shape.attention, shape.kernel_layers),
             .head = {.kv_heads = shape.kv_heads, .rotary_base = shape.positions == "rotary" ? 10000.0 : 0.0},
             .feed_forward = shape.feed_forward,
             .checkpoint = shape.checkpoint},
            rng)),
        norm(shape.hidden),
        head(shape.hidden, 2, rng) {}

  Tensor loss(const Packed& tokens, const Tensor& labels) const {
    const models::EmbeddedTokens embedded = embedding(tokens);
    const Tensor x = nn::apply_blocks(blocks, embedded.vectors, embedded.sequences);
    return nn::cross_entropy(head(segment_mean(norm(x), embedded.sequences)), labels);
  }

  static void visit(auto& self, auto&& f) {
    f("embedding", self.embedding);
    f("blocks", self.blocks);
    f("norm", self.norm);
    f("head", self.head);
  }
};

/// A classifier of vectors, whose step is so small that all but the arithmetic shows.
struct VectorClassifier {
  nn::Linear up, down, head;

  VectorClassifier(const ModelShape& shape, Rng& rng)
      : up(shape.hidden, shape.mlp, rng), down(shape.mlp, shape.hidden, rng), head(shape.hidden, 4, rng) {}

  Tensor loss(const Tensor& x, const Tensor& labels) const {
    return nn::cross_entropy(head(down(up(x, Activation::relu), Activation::relu)), labels);
  }

  static void visit(auto& self, auto&& f) {
    f("up", self.up);
    f("down", self.down);
    f("head", self.head);
  }
};

/// 0, 1, …, classes − 1, 0, … for each of the batch.
Tensor labels_of(const ModelShape& shape, std::int64_t classes) {
  const Tensor labels = empty({shape.batch}, DType::int64);
  for (std::int64_t i = 0; i < shape.batch; ++i) write<std::int64_t>(labels, "bench")[i] = i % classes;
  return labels;
}

Packed random_tokens(const ModelShape& shape, Rng& rng) {
  const Tensor ids = empty({shape.batch * shape.length}, DType::int64);
  auto* const id = write<std::int64_t>(ids, "bench");
  for (std::int64_t i = 0; i < ids.size(); ++i) {
    id[i] = rng.below(shape.vocab);
  }
  const Tensor offsets = empty({shape.batch + 1}, DType::int64);
  for (std::int64_t i = 0; i <= shape.batch; ++i) write<std::int64_t>(offsets, "bench")[i] = i * shape.length;
  return {ids, offsets};
}

/// `loss(model)` is what a step minimises.
template <class Model, class Loss>
BenchModel bench_model_of(const ModelShape& shape, Model&& made, Loss loss) {
  auto model = std::make_shared<Model>(std::move(made));
  auto optimiser = std::make_shared<nn::AdamW>(*model, nn::AdamWOptions{.weight_decay = 0.01});
  BenchModel result;
  result.parameters = nn::parameter_count(*model);
  const DType type = shape.dtype == "bfloat16" ? DType::bfloat16 : DType::float32;
  result.step = [model, optimiser, loss, type, forward_only = shape.forward_only](std::vector<OpTime>* times) {
    const MatmulPrecision precision(type);
    if (forward_only && times == nullptr) return loss(*model).item();
    Tape tape(*model);
    if (times != nullptr) tape.measure_times();
    const Tensor value = loss(*model);
    if (!forward_only) optimiser->step(tape.gradients(value), learning_rate);
    if (times != nullptr) *times = tape.times();
    return value.item();
  };
  return result;
}

void check_positive(const char* name, std::int64_t value) {
  if (value < 1) fail("bench: ", name, " is ", value, ", at least 1 wanted");
}

}  // namespace

nn::AttentionConfig attention_config(const std::string& name, int kernel_layers) {
  if (name == "softmax") return nn::SoftmaxAttentionConfig{};
  return nn::KernelAttentionConfig{
      .feature_map = name, .layers = kernel_layers, .normaliser = name == "identity" ? "sqrt_n" : "sum"};
}

models::LanguageModel make_language_model(const Architecture& architecture, std::int64_t longest, Rng& rng) {
  return models::LanguageModel({.vocab = architecture.vocab,
                                .max_length = longest,
                                .hidden = architecture.hidden,
                                .mlp = architecture.mlp,
                                .heads = architecture.heads,
                                .blocks = architecture.blocks,
                                .attention = attention_config(architecture.attention, architecture.kernel_layers),
                                .options = {.positions = architecture.positions,
                                            .feed_forward = architecture.feed_forward,
                                            .kv_heads = architecture.kv_heads,
                                            .checkpoint = architecture.checkpoint}},
                               rng);
}

void add_kernel_layers_option(CLI::App& command, int& layers) {
  command.add_option("--kernel-layers", layers, "layers of the feature map")->capture_default_str();
}

void add_architecture_options(CLI::App& command, Architecture& architecture) {
  command.add_option("--attention", architecture.attention, "softmax, or a feature map of kernel attention")
      ->capture_default_str();
  command.add_option("--positions", architecture.positions, "how a token knows its place")
      ->check(CLI::IsMember({"learned", "rotary", "none"}))
      ->capture_default_str();
  command.add_option("--feed-forward", architecture.feed_forward, "the network behind attention")
      ->check(CLI::IsMember({"gelu", "swiglu"}))
      ->capture_default_str();
  add_kernel_layers_option(command, architecture.kernel_layers);
  command.add_option("--hidden", architecture.hidden, "size of a token's vector")->capture_default_str();
  command.add_option("--mlp", architecture.mlp, "inner size of the feedforward networks")->capture_default_str();
  command.add_option("--heads", architecture.heads, "heads of the attention")->capture_default_str();
  command.add_option("--kv-heads", architecture.kv_heads, "heads of keys and values; 0: as many")
      ->capture_default_str();
  command.add_option("--blocks", architecture.blocks, "blocks of the model")->capture_default_str();
  command.add_option("--vocab", architecture.vocab, "token ids")->capture_default_str();
}

void add_shape_options(CLI::App& command, ModelShape& shape) {
  command
      .add_option("--task", shape.task,
                  "classify or lm; mlp: a network from hidden to mlp, back to hidden and to 4 classes, no Transformer")
      ->check(CLI::IsMember({"classify", "lm", "mlp"}))
      ->capture_default_str();
  add_architecture_options(command, shape);
  command.add_option("--length", shape.length, "tokens of a sequence")->capture_default_str();
  command.add_option("--batch", shape.batch, "sequences")->capture_default_str();
  command.add_option("--dtype", shape.dtype, "of the factors of matrix products; sums and all else are float32")
      ->check(CLI::IsMember({"float32", "bfloat16"}))
      ->capture_default_str();
  command.add_flag("--forward-only", shape.forward_only, "no backward pass and no optimiser");
  command.add_flag("--checkpoint", shape.checkpoint,
                   "keep only what enters each block, and compute the block again for its gradients");
  add_threads_option(command, shape.threads);
}

BenchModel make_bench_model(const ModelShape& shape) {
  check_positive("length", shape.length);
  check_positive("batch", shape.batch);
  check_positive("vocab", shape.vocab);
  Rng rng(1);
  if (shape.task == "mlp") {
    const Tensor x = normal({shape.batch, shape.hidden}, 0, 1, rng), labels = labels_of(shape, 4);
    return bench_model_of(shape, VectorClassifier(shape, rng),
                          [x, labels](const VectorClassifier& model) { return model.loss(x, labels); });
  }
  const Packed tokens = random_tokens(shape, rng);
  if (shape.task == "lm") {
    return bench_model_of(shape, make_language_model(shape, shape.length, rng),
                          [tokens](const models::LanguageModel& model) { return model.loss(tokens); });
  }
  const Tensor labels = labels_of(shape, 2);
  return bench_model_of(shape, PlainClassifier(shape, rng),
                        [tokens, labels](const PlainClassifier& model) { return model.loss(tokens, labels); });
}

}  // namespace lintel::tools
