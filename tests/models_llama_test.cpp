// Models that others trained: the layout of Llama, and a real model in it.
#include <doctest/doctest.h>

#include <sstream>

#include <lintel/models/llama.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;
using models::LanguageModel;

namespace {

/// A model of random weights in float64, and the same weights under the names of Llama.
LanguageModel random_model(bool tied) {
  models::LanguageModelConfig config{.vocab = 7, .hidden = 8, .mlp = 12, .heads = 4, .blocks = 2};
  config.attention = nn::SoftmaxAttentionConfig{};
  config.tied_output = tied;
  config.options = {.positions = "rotary",
                    .rotary_base = 500,
                    .norm = "rms",
                    .norm_epsilon = 1e-3,
                    .feed_forward = "swiglu",
                    .kv_heads = 2,
                    .bias_free = true};
  Rng rng(1);
  const LanguageModel model(config, rng);
  randomise(model, rng);
  return model;
}

std::vector<NamedTensor> in_llama_layout(const LanguageModel& model) {
  std::vector<NamedTensor> tensors = {{"tok_embeddings.weight", model.embedding.tokens.weight}};
  for (std::size_t i = 0; i < model.blocks.size(); ++i) {
    const std::string layer = "layers." + std::to_string(i) + ".";
    const nn::TransformerBlock& block = model.blocks[i];
    const auto& attention = std::get<nn::SoftmaxAttention>(block.attention.kind);
    const auto& network = std::get<nn::SwiGlu>(block.feed_forward.kind);
    tensors.push_back({layer + "attention_norm.weight", std::get<nn::RMSNorm>(block.norm1.kind).weight});
    tensors.push_back({layer + "attention.wq.weight", attention.q.weight});
    tensors.push_back({layer + "attention.wk.weight", attention.k.weight});
    tensors.push_back({layer + "attention.wv.weight", attention.v.weight});
    tensors.push_back({layer + "attention.wo.weight", attention.o.weight});
    tensors.push_back({layer + "ffn_norm.weight", std::get<nn::RMSNorm>(block.norm2.kind).weight});
    tensors.push_back({layer + "feed_forward.w1.weight", network.gate.weight});
    tensors.push_back({layer + "feed_forward.w2.weight", network.down.weight});
    tensors.push_back({layer + "feed_forward.w3.weight", network.up.weight});
  }
  tensors.push_back({"norm.weight", std::get<nn::RMSNorm>(model.norm.kind).weight});
  if (model.head) tensors.push_back({"output.weight", model.head->weight});
  return tensors;
}

const Metadata metadata = {{"n_heads", "4"}, {"rope_theta", "500.0"}, {"rms_norm_eps", "1e-3"}};

/// The numbers of the list called `name` in a JSON text.
std::vector<double> numbers_of(const std::string& json, const std::string& name) {
  const std::size_t begin = json.find('[', json.find("\"" + name + "\":")) + 1;
  std::istringstream list(json.substr(begin, json.find(']', begin) - begin));
  std::vector<double> numbers;
  for (std::string number; std::getline(list, number, ',');) numbers.push_back(std::stod(number));
  return numbers;
}

std::int64_t likeliest(const Tensor& logits) {
  const auto values = logits.values<float>();
  return std::max_element(values.begin(), values.end()) - values.begin();
}

}  // namespace

TEST_CASE("weights under the names of Llama make the same model, tied and untied") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "llama.safetensors";
  for (const bool tied : {false, true}) {
    const LanguageModel model = random_model(tied);
    write_safetensors(path, in_llama_layout(model), metadata);
    const Packed tokens = pack({{1, 2, 3, 6}});
    CHECK(same_bits(models::load_llama(path)(tokens), model(tokens)));
  }
}

TEST_CASE("a file that is not in the layout of Llama is refused with a sentence") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "llama.safetensors";
  const LanguageModel model = random_model(true);
  auto error_of_file = [&](auto change, Metadata with = metadata) {
    std::vector<NamedTensor> tensors = in_llama_layout(model);
    change(tensors);
    write_safetensors(path, tensors, with);
    return error_of([&] { models::load_llama(path); });
  };
  auto nothing = [](auto&) {};
  CHECK(contains(error_of_file(nothing, {}), "give no n_heads that divides 8"));
  CHECK(contains(error_of_file(nothing, {{"n_heads", "many"}}), "n_heads is \"many\", a positive number wanted"));
  CHECK(contains(error_of_file(nothing, {{"n_heads", "3"}}), "does not divide into 3 heads"));
  CHECK(contains(error_of_file(nothing, {{"n_heads", "4"}, {"rope_theta", "-1"}}), "rope_theta is \"-1\""));
  CHECK(contains(error_of_file(nothing, {{"n_heads", "4"}, {"max_seq_len", "1.5"}}), "max_seq_len is 1.5, a whole"));
  CHECK(contains(error_of_file([](auto& x) { x.erase(x.begin()); }), "no tensor for embedding.tokens.weight"));
  CHECK(contains(error_of_file([](auto& x) { x.pop_back(); }), "missing \"norm.weight\""));
  CHECK(contains(error_of_file([](auto& x) { x[1].name = "layers.0.odd"; }), "unexpected \"layers.0.odd\""));
  CHECK(contains(error_of_file([](auto& x) { x[0].tensor = ones({7}); }), "is (7,), a matrix wanted"));
  CHECK(contains(error_of_file([](auto& x) { x[4].tensor = ones({6, 8}); }), "does not fit"));
}

TEST_CASE("a real model that others trained writes what it should, with softmax attention and its cache") {
  const auto weights = test_data("stories260K/stories260K.safetensors");
  const auto expected = test_data("stories260K/expected_greedy.json");
  if (weights.empty() || expected.empty()) return;
  const LanguageModel model = models::load_llama(weights);
  CHECK(nn::parameter_count(model) == 260032);
  const std::string json = bytes_of(expected);
  std::vector<std::int64_t> ids;
  for (const double id : numbers_of(json, "ids")) ids.push_back(static_cast<std::int64_t>(id));
  const std::vector<double> first_logits = numbers_of(json, "logits_at_position_0");
  REQUIRE(ids.size() == 257);
  REQUIRE(first_logits.size() == 512);

  models::LanguageModelState state = model.empty_state();
  std::vector<std::int64_t> written = {ids[0]};
  Tensor logits = model.prefill(pack({written}), state);
  CHECK(largest_difference(logits, Tensor({1, 512}, first_logits)) < 1e-4);
  while (written.size() < ids.size()) {
    written.push_back(likeliest(logits));
    logits = model.step(Tensor({1}, {written.back()}), state);
  }
  CHECK(written == ids);

  // The same ids by reading all of them at once, without the cache.
  const Tensor all = model(pack({ids}));
  for (std::int64_t i = 0; i + 1 < 257; ++i) {
    CHECK(likeliest(share_buffer(all, {512}, i * 512)) == ids[static_cast<std::size_t>(i + 1)]);
  }
}
