#include <algorithm>
#include <string>

#include <lintel/autograd/tape.hpp>
#include <lintel/models/encoder_decoder.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/linear.hpp>

namespace lintel::models {
namespace encoder_decoder_detail {

/// The config with what it leaves open filled in.
EncoderDecoderConfig completed(EncoderDecoderConfig config) {
  const auto at_least_1 = [](const char* name, std::int64_t size) {
    if (size < 1) fail("encoder_decoder: ", name, " is ", size, ", at least 1 wanted");
  };
  at_least_1("source_vocab", config.source_vocab);
  at_least_1("target_vocab", config.target_vocab);
  check_options("encoder_decoder", config.options);
  if (config.options.positions == "learned") at_least_1("max_length", config.max_length);
  at_least_1("hidden", config.hidden);
  if (config.mlp < 0) fail("encoder_decoder: mlp is ", config.mlp, ", at least 1 wanted, or 0 for four times hidden");
  if (config.mlp == 0) config.mlp = 4 * config.hidden;
  return config;
}

nn::TransformerBlockConfig config_of_blocks(const EncoderDecoderConfig& config) {
  nn::TransformerBlockConfig block = block_config(config);
  block.attention_output_dropout = config.dropout;
  return block;
}

TokenEmbeddingConfig embedding_config(const EncoderDecoderConfig& config, std::int64_t vocab, std::int64_t length) {
  return {.vocab = vocab,
          .max_length = length,
          .hidden = config.hidden,
          .learned_positions = config.options.positions == "learned"};
}

Encoder make_encoder(const EncoderDecoderConfig& config, Rng& rng) {
  TokenEmbedding embedding(embedding_config(config, config.source_vocab, config.max_length), rng);
  return {std::move(embedding), nn::make_blocks(config.encoder_blocks, config_of_blocks(config), rng),
          nn::Norm(config.hidden, norm_options(config.options))};
}

Decoder make_decoder(const EncoderDecoderConfig& config, Rng& rng) {
  const std::int64_t ids = config.target_vocab + 1;
  if (config.decoder_blocks < 1) fail("blocks: ", config.decoder_blocks, " blocks, at least 1 wanted");
  Decoder decoder{TokenEmbedding(embedding_config(config, ids, config.max_length + 1), rng),
                  {},
                  nn::Norm(config.hidden, norm_options(config.options)),
                  std::nullopt};
  for (std::int64_t i = 0; i < config.decoder_blocks; ++i) decoder.blocks.emplace_back(config_of_blocks(config), rng);
  if (!config.tied_output) decoder.head = nn::Linear(config.hidden, ids, rng, {.bias = !config.options.bias_free});
  return decoder;
}

/// Targets as the decoder reads them, with the boundary in front, and as it predicts them, with the boundary behind.
struct ShiftedTargets {
  Packed read;
  Tensor predicted;  ///< int64 (T + B)
};

ShiftedTargets shift_targets(const Packed& target, std::int64_t boundary) {
  const Sequences sequences = packed_sequences("encoder_decoder: targets", target);
  const auto ids = target.ids.values<std::int64_t>();
  for (const std::int64_t id : ids) {
    if (id < 0 || id >= boundary)
      fail("encoder_decoder: target id ", id, " is outside of the vocabulary of ", boundary);
  }
  std::vector<std::vector<std::int64_t>> read;
  std::vector<std::int64_t> predicted;
  for (std::int64_t i = 0; i < sequences.count(); ++i) {
    const auto begin = ids.begin() + sequences.begin(i), end = ids.begin() + sequences.end(i);
    read.push_back({boundary});
    read.back().insert(read.back().end(), begin, end);
    predicted.insert(predicted.end(), begin, end);
    predicted.push_back(boundary);
  }
  return {pack(read), Tensor({static_cast<std::int64_t>(predicted.size())}, predicted)};
}

/// The likeliest class of each row of logits (rows, classes), ties to the first, but none of `never`.
std::vector<std::int64_t> likeliest(const Tensor& logits, const std::vector<std::int64_t>& never) {
  std::vector<std::int64_t> result;
  with_float_type("greedy", logits.dtype(), [&]<class T>() {
    const std::int64_t classes = logits.size(1);
    for (std::int64_t row = 0; row < logits.size(0); ++row) {
      const T* values = logits.data<T>() + row * classes;
      std::int64_t best = classes - 1;
      for (std::int64_t id = 0; id < classes; ++id) {
        const bool greater = values[id] > values[best] || (values[id] == values[best] && id < best);
        if (greater && std::find(never.begin(), never.end(), id) == never.end()) best = id;
      }
      result.push_back(best);
    }
  });
  return result;
}

}  // namespace encoder_decoder_detail

std::int64_t EncoderDecoderState::bytes() const {
  std::int64_t total = 0;
  for (const nn::DecoderBlockState& block : blocks) total += block.attention.bytes() + block.cross_attention.bytes();
  return total;
}

EncoderDecoderState EncoderDecoderState::select(const std::vector<std::int64_t>& wanted) const {
  EncoderDecoderState result;
  for (const nn::DecoderBlockState& block : blocks) result.blocks.push_back(block.select(wanted));
  return result;
}

EncoderDecoder::EncoderDecoder(const EncoderDecoderConfig& given, Rng& rng)
    : config(encoder_decoder_detail::completed(given)),
      encoder(encoder_decoder_detail::make_encoder(config, rng)),
      decoder(encoder_decoder_detail::make_decoder(config, rng)),
      dropout(config.dropout) {}

EmbeddedTokens EncoderDecoder::encode(const Packed& source, const std::optional<nn::Training>& training) const {
  const LayerScope scope("encoder");
  const EmbeddedTokens embedded = encoder.embedding(source);
  const Tensor x = nn::apply_blocks(encoder.blocks, dropout(embedded.vectors, nn::child_of(training, 0)),
                                    embedded.sequences, false, nn::child_of(training, 1));
  return {encoder.norm(x), embedded.sequences};
}

Tensor EncoderDecoder::decode(const EmbeddedTokens& encoded, const Packed& read,
                              const std::optional<nn::Training>& training) const {
  const LayerScope scope("decoder");
  const EmbeddedTokens embedded = decoder.embedding(read);
  if (embedded.sequences.count() != encoded.sequences.count()) {
    fail("encoder_decoder: ", encoded.sequences.count(), " sources and ", embedded.sequences.count(),
         " targets, as many of both wanted");
  }
  Tensor x = dropout(embedded.vectors, nn::child_of(training, 2));
  for (std::size_t i = 0; i < decoder.blocks.size(); ++i) {
    const LayerScope block("blocks." + std::to_string(i));
    x = decoder.blocks[i](x, embedded.sequences, encoded.vectors, encoded.sequences, nn::child_of(training, 3 + i));
  }
  return x;
}

Tensor EncoderDecoder::logits_of(const Tensor& x) const {
  const LayerScope scope("head");
  const Tensor last = decoder.norm(x);
  return decoder.head ? (*decoder.head)(last) : linear(last, decoder.embedding.tokens.weight, Tensor());
}

Tensor EncoderDecoder::operator()(const Packed& source, const Packed& target,
                                  const std::optional<nn::Training>& training) const {
  const auto [read, predicted] = encoder_decoder_detail::shift_targets(target, boundary());
  return logits_of(decode(encode(source, training), read, training));
}

Tensor EncoderDecoder::loss(const Packed& source, const Packed& target, const std::optional<nn::Training>& training,
                            double label_smoothing) const {
  const auto [read, predicted] = encoder_decoder_detail::shift_targets(target, boundary());
  const Tensor x = decode(encode(source, training), read, training);
  const LayerScope scope("head");
  return nn::linear_cross_entropy(
      decoder.norm(x), decoder.head ? decoder.head->weight : decoder.embedding.tokens.weight,
      decoder.head ? decoder.head->bias : Tensor(), predicted, {.label_smoothing = label_smoothing});
}

EncoderDecoderState EncoderDecoder::start(const Packed& source) const {
  const EmbeddedTokens encoded = encode(source);
  EncoderDecoderState state;
  for (const nn::DecoderBlock& block : decoder.blocks) {
    state.blocks.push_back(block.start(encoded.vectors, encoded.sequences));
  }
  return state;
}

Tensor EncoderDecoder::step(const Tensor& ids, EncoderDecoderState& state) const {
  if (!ids.defined() || ids.rank() != 1 || ids.size() != state.streams()) {
    fail("encoder_decoder: step wants one token of each stream, ids (", state.streams(), ",)");
  }
  if (state.blocks.size() != decoder.blocks.size()) {
    fail("encoder_decoder: the state is of ", state.blocks.size(), " blocks, ", decoder.blocks.size(), " wanted");
  }
  Tensor x =
      decoder.embedding.read_on({ids, arange(0, ids.size() + 1)}, state.blocks.front().attention.lengths).vectors;
  for (std::size_t i = 0; i < decoder.blocks.size(); ++i) {
    const LayerScope scope("decoder.blocks." + std::to_string(i));
    x = decoder.blocks[i].step(x, state.blocks[i]);
  }
  return logits_of(x);
}

std::vector<std::vector<std::int64_t>> EncoderDecoder::greedy(const Packed& source,
                                                              const GreedyOptions& options) const {
  EncoderDecoderState state = start(source);
  const auto count = static_cast<std::size_t>(state.streams());
  std::vector<std::vector<std::int64_t>> targets(count);
  std::vector<std::size_t> target_of_stream(count);
  for (std::size_t i = 0; i < count; ++i) target_of_stream[i] = i;
  std::vector<std::int64_t> ids(count, boundary());
  for (std::int64_t written = 0; written < options.max_tokens && !ids.empty(); ++written) {
    const Tensor logits = step(Tensor({static_cast<std::int64_t>(ids.size())}, ids), state);
    const std::vector<std::int64_t> best = encoder_decoder_detail::likeliest(logits, options.never);
    // Streams that have ended are left behind.
    std::vector<std::int64_t> going_on;
    std::vector<std::size_t> targets_going_on;
    ids.clear();
    for (std::size_t i = 0; i < best.size(); ++i) {
      if (best[i] == boundary()) continue;
      targets[target_of_stream[i]].push_back(best[i]);
      going_on.push_back(static_cast<std::int64_t>(i));
      targets_going_on.push_back(target_of_stream[i]);
      ids.push_back(best[i]);
    }
    if (going_on.size() < best.size()) state = state.select(going_on);
    target_of_stream = std::move(targets_going_on);
  }
  return targets;
}

Tensor EncoderDecoder::orthogonality_penalty() const {
  Tensor total = nn::orthogonality_penalty(encoder.blocks);
  for (const nn::DecoderBlock& block : decoder.blocks) total = total + block.orthogonality_penalty();
  return total;
}

}  // namespace lintel::models
