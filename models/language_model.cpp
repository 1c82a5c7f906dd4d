#include <algorithm>
#include <string>

#include <lintel/autograd/tape.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/nn/attention_memory.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/ops/index.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/shape_ops.hpp>

namespace lintel::models {
namespace language_model_detail {

/// The config with what it leaves open filled in.
LanguageModelConfig completed(LanguageModelConfig config) {
  if (config.vocab < 1) fail("language_model: vocab is ", config.vocab, ", at least 1 wanted");
  check_options("language_model", config.options);
  const bool learned = config.options.positions == "learned";
  if (learned && config.max_length < 1)
    fail("language_model: max_length is ", config.max_length, ", at least 1 wanted");
  if (config.hidden < 1) fail("language_model: hidden is ", config.hidden, ", at least 1 wanted");
  if (config.mlp < 0) fail("language_model: mlp is ", config.mlp, ", at least 1 wanted, or 0 for four times hidden");
  if (config.mlp == 0) config.mlp = 4 * config.hidden;
  return config;
}

TokenEmbeddingConfig embedding_config(const LanguageModelConfig& config) {
  return {.vocab = config.vocab,
          .max_length = config.max_length,
          .hidden = config.hidden,
          .learned_positions = config.options.positions == "learned"};
}

/// For every token the one after it in its sequence, and `no_token` for the last: int64 (T).
Tensor next_tokens(const Packed& tokens, std::int64_t no_token) {
  const Sequences sequences = Sequences::packed(tokens.offsets);
  const Tensor next = empty(tokens.ids.shape(), DType::int64);
  auto* const to = write<std::int64_t>(next, "next_tokens");
  const auto* const ids = tokens.ids.data<std::int64_t>();
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    const std::int64_t last = sequences.end(i) - 1;
    for (std::int64_t row = sequences.begin(i); row < last; ++row) to[row] = ids[row + 1];
    if (sequences.length(i) > 0) to[last] = no_token;
  }
  return next;
}

/// Tokens begin … end of every sequence, fewer where it is shorter.
Packed piece_of(const Packed& tokens, std::int64_t begin, std::int64_t end) {
  const Sequences sequences = Sequences::packed(tokens.offsets);
  const auto* const ids = tokens.ids.data<std::int64_t>();
  std::vector<std::vector<std::int64_t>> pieces;
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    const std::int64_t length = sequences.length(i);
    const auto* const first = ids + sequences.begin(i);
    pieces.emplace_back(first + std::min(begin, length), first + std::min(end, length));
  }
  return pack(pieces);
}

/// The last rows of the sequences that end in a piece of tokens begin … end.
struct LastRows {
  std::vector<std::int64_t> streams, rows;
};

LastRows last_rows(const Sequences& all, std::int64_t begin, std::int64_t end) {
  LastRows last;
  std::int64_t row = 0;
  for (std::int64_t i = 0; i < all.count(); ++i) {
    row += std::clamp<std::int64_t>(all.length(i) - begin, 0, end - begin);
    if (all.length(i) <= begin || all.length(i) > end) continue;
    last.streams.push_back(i);
    last.rows.push_back(row - 1);
  }
  return last;
}

Tensor index_tensor(const std::vector<std::int64_t>& indices) {
  return Tensor({static_cast<std::int64_t>(indices.size())}, indices);
}

void check_prefill(const Packed& tokens, const LanguageModelState& state, const LanguageModel& model) {
  const Sequences sequences = packed_sequences("language_model", tokens);
  if (sequences.count() != state.streams()) {
    fail("language_model: ", sequences.count(), " sequences for a state of ", state.streams(),
         " streams, one for each wanted");
  }
  if (state.layers.size() != model.blocks.size()) {
    fail("language_model: the state is of ", state.layers.size(), " layers, ", model.blocks.size(), " wanted");
  }
}

/// Whether every stream has read as many tokens in every layer, and no more than a cache holds.
bool is_consistent(const LanguageModelState& state) {
  const std::vector<std::int64_t> lengths = state.lengths();
  for (const nn::AttentionState& layer : state.layers) {
    const auto own = layer.lengths.values<std::int64_t>();
    if (!std::equal(lengths.begin(), lengths.end(), own.begin(), own.end())) return false;
    const auto* cache = std::get_if<nn::SoftmaxMemory>(&layer.memory);
    for (const std::int64_t length : lengths) {
      if (length < 0 || (cache && length > cache->keys.size(2))) return false;
    }
  }
  return true;
}

/// The tensor called `name`; undefined if there is none.
Tensor find_tensor(const std::vector<NamedTensor>& tensors, const std::string& name) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const NamedTensor& each) { return each.name == name; });
  return found == tensors.end() ? Tensor() : found->tensor;
}

}  // namespace language_model_detail

LanguageModel::LanguageModel(const LanguageModelConfig& given, Rng& rng)
    : config(language_model_detail::completed(given)),
      embedding(language_model_detail::embedding_config(config), rng),
      blocks(nn::make_blocks(config.blocks, block_config(config), rng)),
      norm(config.hidden, norm_options(config.options)) {
  if (!config.tied_output) head = nn::Linear(config.hidden, config.vocab, rng, {.bias = !config.options.bias_free});
}

Tensor LanguageModel::vectors(const Packed& tokens, const std::optional<nn::Training>& training) const {
  const EmbeddedTokens embedded = embedding(tokens);
  return nn::apply_blocks(blocks, embedded.vectors, embedded.sequences, true, training);
}

Tensor LanguageModel::operator()(const Packed& tokens, const std::optional<nn::Training>& training) const {
  return logits_of(vectors(tokens, training));
}

Tensor LanguageModel::logits_of(const Tensor& x) const {
  const LayerScope scope("head");
  return head ? (*head)(norm(x)) : linear(norm(x), embedding.tokens.weight, Tensor());
}

Tensor LanguageModel::loss(const Packed& tokens, const std::optional<nn::Training>& training) const {
  constexpr std::int64_t no_token = -100;
  const Tensor x = vectors(tokens, training);
  // As many tokens as sequences, none empty: each has one token, and the mean would be over nothing.
  if (x.size(0) == tokens.offsets.size() - 1) {
    fail("language_model: loss of ", x.size(0), " sequences of one token each, at least one of two tokens wanted");
  }
  const LayerScope scope("head");
  return nn::linear_cross_entropy(norm(x), head ? head->weight : embedding.tokens.weight, head ? head->bias : Tensor(),
                                  language_model_detail::next_tokens(tokens, no_token), {.ignore_index = no_token});
}

LanguageModelState LanguageModel::empty_state(std::int64_t streams) const {
  LanguageModelState state;
  for (const nn::TransformerBlock& block : blocks) state.layers.push_back(block.attention.empty_state(streams));
  return state;
}

/// The vectors behind the last block.
Tensor LanguageModel::read(const Packed& tokens, LanguageModelState& state) const {
  const EmbeddedTokens embedded = embedding.read_on(tokens, state.layers.front().lengths);
  Tensor x = embedded.vectors;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const LayerScope scope("blocks." + std::to_string(i));
    x = blocks[i].read(x, embedded.sequences, state.layers[i]);
  }
  return x;
}

Tensor LanguageModel::prefill(const Packed& tokens, LanguageModelState& state) const {
  using namespace language_model_detail;
  check_prefill(tokens, state, *this);
  const Sequences sequences = Sequences::packed(tokens.offsets);
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    if (sequences.length(i) == 0) fail("language_model: stream ", i, " gets no token, at least one wanted");
  }
  LanguageModelState next = state;
  std::vector<Tensor> last_vectors;
  std::vector<std::int64_t> row_of_stream(static_cast<std::size_t>(sequences.count()));
  std::int64_t rows = 0;
  for (std::int64_t begin = 0; begin < sequences.longest(); begin += prefill_piece) {
    const Tensor x = read(piece_of(tokens, begin, begin + prefill_piece), next);
    const LastRows last = last_rows(sequences, begin, begin + prefill_piece);
    for (const std::int64_t stream : last.streams) row_of_stream[static_cast<std::size_t>(stream)] = rows++;
    if (!last.rows.empty()) last_vectors.push_back(lintel::embedding(x, index_tensor(last.rows)));
  }
  if (last_vectors.empty()) return empty({0, config.vocab}, embedding.tokens.weight.dtype());
  state = std::move(next);
  return logits_of(lintel::embedding(concat(last_vectors, 0), index_tensor(row_of_stream)));
}

Tensor LanguageModel::step(const Tensor& ids, LanguageModelState& state) const {
  if (!ids.defined() || ids.rank() != 1) fail("language_model: step wants one token of each stream, ids (streams)");
  const Packed tokens{ids, arange(0, ids.size() + 1)};
  language_model_detail::check_prefill(tokens, state, *this);
  if (ids.size() == 0) return empty({0, config.vocab}, embedding.tokens.weight.dtype());
  return logits_of(read(tokens, state));
}

LanguageModelState LanguageModel::load_state(const std::filesystem::path& path) const {
  const std::vector<NamedTensor> tensors = read_safetensors(path).tensors;
  const std::string what = "load_state: " + path.string();
  const Tensor lengths = language_model_detail::find_tensor(tensors, "layers.0.lengths");
  if (!lengths.defined() || lengths.rank() != 1) fail(what, " is not the state of a language model");
  LanguageModelState state = empty_state(lengths.size(0));
  for (std::size_t i = 0; i < state.layers.size(); ++i) {
    auto* cache = std::get_if<nn::SoftmaxMemory>(&state.layers[i].memory);
    if (!cache) continue;
    const Tensor keys = language_model_detail::find_tensor(tensors, "layers." + std::to_string(i) + ".keys");
    if (!keys.defined() || keys.rank() != cache->keys.rank()) continue;  // told below
    cache->keys = nn::with_capacity(cache->keys, keys.size(2));
    cache->values = nn::with_capacity(cache->values, keys.size(2));
  }
  copy_by_name(tensors, nn::named_parameters(state), what);
  if (!language_model_detail::is_consistent(state)) fail(what, " is damaged: its lengths do not fit what it holds");
  return state;
}

}  // namespace lintel::models
