// Attention that reads on with a state.
#include <doctest/doctest.h>

#include <lintel/autograd/tape.hpp>
#include <lintel/nn/attention.hpp>
#include <lintel/ops/kernel_attention.hpp>

#include "file_helpers.hpp"
#include "module_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

constexpr std::int64_t hidden = 24, heads = 4, chunk = kernel_attention_chunk;
const std::vector<std::int64_t> lengths_around_chunks = {0, 1, 2, chunk - 1, chunk, chunk + 1, 3 * chunk + 5};

struct Kind {
  std::string name;
  nn::AttentionConfig config;
  nn::HeadOptions options;
};

const std::vector<Kind> all_kinds = {
    {"kernel", nn::KernelAttentionConfig{}, {}},
    {"kernel, two layers, biases", nn::KernelAttentionConfig{.layers = 2, .bias = true}, {}},
    {"kernel, rotary, shared keys", nn::KernelAttentionConfig{}, {.kv_heads = 2, .bias = false, .rotary_base = 100}},
    {"kernel, divided by the root, no map, normed queries and keys",
     nn::KernelAttentionConfig{.feature_map = "identity", .normaliser = "sqrt_n"},
     {.qk_norm = true}},
    {"kernel, normed heads, convolution, rotary, shared keys",
     nn::KernelAttentionConfig{.normaliser = "rmsnorm"},
     {.kv_heads = 2, .rotary_base = 100, .convolution = 4}},
    {"softmax", nn::SoftmaxAttentionConfig{}, {}},
    {"softmax, normed queries and keys, convolution",
     nn::SoftmaxAttentionConfig{},
     {.qk_norm = true, .convolution = 3}},
    {"softmax, rotary, shared keys", nn::SoftmaxAttentionConfig{}, {.kv_heads = 2, .rotary_base = 10000}},
    {"softmax, one head of keys", nn::SoftmaxAttentionConfig{}, {.kv_heads = 1, .bias = false}}};

const Kind& kind_named(const std::string& name) {
  return *std::find_if(all_kinds.begin(), all_kinds.end(), [&](const Kind& kind) { return kind.name == name; });
}

nn::Attention random_attention(const Kind& kind) {
  Rng rng(1);
  const nn::Attention attention(hidden, heads, rng, kind.config, kind.options);
  randomise(attention, rng);
  return attention;
}

Sequences sequences_of(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return Sequences::packed(Tensor({static_cast<std::int64_t>(offsets.size())}, offsets));
}

Tensor rows(const Tensor& x, std::int64_t begin, std::int64_t end) {
  return share_buffer(x, {end - begin, x.size(-1)}, begin * x.size(-1));
}

/// The rows of x read by one stream in pieces that end at these places.
Tensor read_in_pieces(const nn::Attention& attention, const Tensor& x, const std::vector<std::int64_t>& ends) {
  nn::AttentionState state = attention.empty_state(1);
  const Tensor result = empty(x.shape(), x.dtype());
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    const Tensor piece = attention.read(rows(x, begin, end), sequences_of({end - begin}), state);
    if (end > begin) copy_into(rows(result, begin, end), piece, "test");
    begin = end;
  }
  CHECK(state.lengths.data<std::int64_t>()[0] == begin);
  return result;
}

std::vector<std::int64_t> every_place(std::int64_t length) {
  std::vector<std::int64_t> ends;
  for (std::int64_t i = 1; i <= length; ++i) ends.push_back(i);
  return ends;
}

}  // namespace

TEST_CASE("reading at once, in pieces and token by token is causal attention, for lengths around the chunks") {
  for (const Kind& kind : all_kinds) {
    CAPTURE(kind.name);
    const nn::Attention attention = random_attention(kind), exact = in_float64(attention);
    for (const std::int64_t length : lengths_around_chunks) {
      CAPTURE(length);
      Rng rng(5);
      const Tensor x = normal({length, hidden}, 0, 1, rng), x64 = convert(x, DType::float64);
      const Tensor wanted = exact(x64, sequences_of({length}), true);
      const std::vector<std::vector<std::int64_t>> ways = {
          {length}, every_place(length), {length / 3, length / 3, length / 2, length}};
      for (const std::vector<std::int64_t>& ends : ways) {
        CHECK(largest_difference(read_in_pieces(exact, x64, ends), wanted) < 1e-12);
        CHECK(largest_difference(read_in_pieces(attention, x, ends), wanted) < 1e-5);
      }
    }
  }
}

TEST_CASE("a batch of streams of different lengths is each stream alone") {
  const std::vector<std::int64_t> first = {70, 0, 3, 129}, second = {1, 66, 0, 2}, third = {1, 1, 1, 1};
  for (const Kind& kind : all_kinds) {
    CAPTURE(kind.name);
    const nn::Attention attention = random_attention(kind);
    nn::AttentionState together = attention.empty_state(4);
    std::vector<nn::AttentionState> alone(4, attention.empty_state(1));
    Rng rng(5);
    for (const auto& lengths : {first, second, third}) {
      const Sequences sequences = sequences_of(lengths);
      const Tensor x = normal({sequences.rows(), hidden}, 0, 1, rng);
      const Tensor found = attention.read(x, sequences, together);
      for (std::int64_t i = 0; i < 4; ++i) {
        const std::int64_t begin = sequences.begin(i), end = sequences.end(i);
        const Tensor own =
            attention.read(rows(x, begin, end), sequences_of({end - begin}), alone[static_cast<std::size_t>(i)]);
        CHECK(largest_difference(rows(found, begin, end), own) < 1e-5);
      }
    }
    CHECK(same_bits(convert(together.lengths, DType::float32), Tensor({4}, {72.0f, 67.0f, 4.0f, 132.0f})));
  }
}

TEST_CASE("padded rows are read as packed ones, and padding has no influence") {
  for (const Kind& kind : all_kinds) {
    const nn::Attention attention = random_attention(kind);
    Rng rng(5);
    const Tensor x = normal({2, 5, hidden}, 0, 1, rng);
    nn::AttentionState padded = attention.empty_state(2), alone = attention.empty_state(1);
    const Tensor found = attention.read(x, Sequences::padded(2, 5, {3, 5}), padded);
    CHECK(found.shape() == x.shape());
    const Tensor wanted = attention.read(share_buffer(x, {3, hidden}), sequences_of({3}), alone);
    CHECK(largest_difference(share_buffer(found, {3, hidden}), wanted) < 1e-5);
    CHECK(padded.lengths.data<std::int64_t>()[0] == 3);
  }
}

TEST_CASE("a copy of a state branches off: reading on with it leaves the first as it was") {
  for (const Kind& kind : all_kinds) {
    CAPTURE(kind.name);
    const nn::Attention attention = random_attention(kind);
    Rng rng(5);
    const Tensor prompt = normal({70, hidden}, 0, 1, rng), one = normal({1, hidden}, 0, 1, rng),
                 other = normal({1, hidden}, 0, 1, rng);
    nn::AttentionState trunk = attention.empty_state(1);
    attention.read(prompt, sequences_of({70}), trunk);
    nn::AttentionState branch = trunk, again = trunk;
    const Tensor of_one = attention.read(one, sequences_of({1}), trunk);
    const Tensor of_other = attention.read(other, sequences_of({1}), branch);
    CHECK_FALSE(same_bits(of_one, of_other));
    CHECK(same_bits(of_one, attention.read(one, sequences_of({1}), again)));
    CHECK(again.lengths.data<std::int64_t>()[0] == 71);
  }
}

TEST_CASE("streams can be selected, repeated and dropped") {
  for (const Kind& kind : all_kinds) {
    const nn::Attention attention = random_attention(kind);
    Rng rng(5);
    nn::AttentionState state = attention.empty_state(3);
    attention.read(normal({9, hidden}, 0, 1, rng), sequences_of({2, 3, 4}), state);
    nn::AttentionState selected = state.select({2, 0, 2});
    const Tensor x = normal({3, hidden}, 0, 1, rng);
    const Tensor found = attention.read(x, sequences_of({1, 1, 1}), selected);
    nn::AttentionState last = state.select({2});
    CHECK(largest_difference(rows(found, 2, 3), attention.read(rows(x, 2, 3), sequences_of({1}), last)) < 1e-5);
    CHECK(selected.lengths.data<std::int64_t>()[1] == 3);
    CHECK(state.select({}).streams() == 0);
    CHECK(contains(error_of([&] { state.select({3}); }), "there is no stream 3 of 3"));
  }
}

TEST_CASE("the memory of kernel attention is constant, that of softmax attention grows with the tokens") {
  Rng rng(5);
  const nn::Attention kernel = random_attention(kind_named("kernel")),
                      softmax = random_attention(kind_named("softmax, rotary, shared keys"));
  nn::AttentionState sums = kernel.empty_state(2), cache = softmax.empty_state(2);
  constexpr std::int64_t head_dim = hidden / heads;
  const std::int64_t constant = 2 * heads * head_dim * (head_dim + 1) * 4;
  CHECK(sums.bytes() == constant);
  CHECK(cache.bytes() == 0);
  const Tensor x = normal({100, hidden}, 0, 1, rng);
  kernel.read(x, sequences_of({30, 70}), sums);
  softmax.read(x, sequences_of({30, 70}), cache);
  CHECK(sums.bytes() == constant);
  CHECK(cache.bytes() == 100 * 2 * 2 * head_dim * 4);
}

TEST_CASE("convolutions add the last rows of queries, keys and values to the memory") {
  const auto kind = kind_named("kernel, normed heads, convolution, rotary, shared keys");
  const nn::Attention with = random_attention(kind);
  nn::HeadOptions options = kind.options;
  options.convolution = 0;
  const nn::Attention without = random_attention({kind.name, kind.config, options});
  constexpr std::int64_t channels = hidden + 2 * hidden / 2;
  CHECK(with.empty_state(2).bytes() - without.empty_state(2).bytes() == 2 * 3 * channels * 4);
  nn::AttentionState state = without.empty_state(1);
  CHECK(contains(error_of([&] {
                   with.read(ones({1, hidden}), sequences_of({1}), state);
                 }),
                 "the state is one of an attention without convolution"));
  nn::AttentionState convolved = with.empty_state(1);
  CHECK(contains(error_of([&] {
                   without.read(ones({1, hidden}), sequences_of({1}), convolved);
                 }),
                 "the state is one of an attention with convolution"));
  options.convolution = 6;
  nn::AttentionState longer = random_attention({kind.name, kind.config, options}).empty_state(1);
  CHECK(contains(error_of([&] {
                   with.read(ones({1, hidden}), sequences_of({1}), longer);
                 }),
                 "the state's convolution is float32 (1, 5, 24), float32 (1, 3, 24) wanted"));
  nn::AttentionState whole = with.empty_state(1);
  const Tensor before = whole.convolution->q;
  Rng rng(1);
  whole.memory = nn::Attention(hidden, heads / 2, rng, kind.config).empty_state(1).memory;
  CHECK(error_of([&] { with.read(ones({1, hidden}), sequences_of({1}), whole); }) != "");
  CHECK(whole.convolution->q.id() == before.id());  // what fails leaves the state as it was
}

TEST_CASE("reading refuses a state of another kind, shape or number of streams, and tapes") {
  const nn::Attention kernel = random_attention(kind_named("kernel")),
                      softmax = random_attention(kind_named("softmax"));
  const Tensor x = ones({1, hidden});
  const Sequences one = sequences_of({1});
  nn::AttentionState sums = kernel.empty_state(1), cache = softmax.empty_state(1), two = kernel.empty_state(2);
  CHECK(contains(error_of([&] { kernel.read(x, one, cache); }), "the state is one of the other kind"));
  CHECK(contains(error_of([&] { softmax.read(x, one, sums); }), "the state is one of the other kind"));
  CHECK(contains(error_of([&] { kernel.read(x, one, two); }), "1 sequences for a state of 2 streams"));
  CHECK(contains(error_of([&] { kernel.read(ones({1, 8}), one, sums); }), "attention: input has shape (1, 8)"));
  CHECK(contains(error_of([&] { kernel.read(ones({2, hidden}), one, sums); }), "has 2 rows, the sequences 1"));
  CHECK(contains(error_of([&] { kernel.empty_state(-1); }), "a state of -1 streams"));
  Rng rng(1);
  nn::AttentionState wider = nn::Attention(2 * hidden, heads, rng).empty_state(1);
  CHECK(contains(error_of([&] { kernel.read(x, one, wider); }), "the state's matrix is (1, 4, 12, 12), (1, 4, 6, 6)"));
  for (const nn::Attention* attention : {&kernel, &softmax}) {
    nn::AttentionState state = attention->empty_state(1);
    const Tape tape(*attention);
    CHECK(contains(error_of([&] { attention->read(x, one, state); }), "a state has no derivatives"));
    CHECK(state.lengths.data<std::int64_t>()[0] == 0);
  }
}

TEST_CASE("what is recalled of a remembered sequence is what cross-attention to it finds") {
  Rng rng(5);
  const std::vector<std::int64_t> lengths = {1, chunk, 3 * chunk + 5};
  const Tensor memory = normal({4 * chunk + 6, hidden}, 0, 1, rng), x = normal({3, hidden}, 0, 1, rng);
  for (const Kind& kind : all_kinds) {
    CAPTURE(kind.name);
    const nn::Attention attention = random_attention(kind), exact = in_float64(attention);
    const Tensor exact_memory = convert(memory, DType::float64), exact_x = convert(x, DType::float64);
    const Tensor wanted = exact.cross(exact_x, sequences_of({1, 1, 1}), exact_memory, sequences_of(lengths));
    const nn::AttentionState state = attention.remember(memory, sequences_of(lengths));
    CHECK(state.lengths.data<std::int64_t>()[2] == 3 * chunk + 5);
    CHECK(largest_difference(attention.recall(x, state), wanted) < 1e-5);
    CHECK(largest_difference(exact.recall(exact_x, exact.remember(exact_memory, sequences_of(lengths))), wanted) <
          1e-12);
    const nn::AttentionState last = state.select({2, 0});
    CHECK(largest_difference(attention.recall(rows(x, 2, 3), last.select({0})), rows(wanted, 2, 3)) < 1e-5);
  }
}

TEST_CASE("cross-attention of a sequence to itself is self-attention without positions") {
  Rng rng(5);
  const Tensor x = normal({100, hidden}, 0, 1, rng);
  const Sequences sequences = sequences_of({30, 70});
  for (const Kind& kind : all_kinds) {
    if (kind.options.rotary_base > 0 || kind.options.convolution > 0) continue;
    CAPTURE(kind.name);
    const nn::Attention attention = random_attention(kind);
    CHECK(largest_difference(attention.cross(x, sequences, x, sequences), attention(x, sequences)) < 1e-5);
  }
}

TEST_CASE("recalling refuses a state of another kind, another number of rows, and tapes") {
  const nn::Attention kernel = random_attention(kind_named("kernel")),
                      softmax = random_attention(kind_named("softmax"));
  const Tensor x = ones({2, hidden});
  const Sequences two = sequences_of({1, 1});
  const nn::AttentionState sums = kernel.remember(x, two), cache = softmax.remember(x, two);
  CHECK(contains(error_of([&] { kernel.recall(x, cache); }), "the state is one of the other kind"));
  CHECK(contains(error_of([&] { softmax.recall(x, sums); }), "the state is one of the other kind"));
  CHECK(contains(error_of([&] { kernel.recall(ones({1, hidden}), sums); }), "input is (1, 24), (2, 24) wanted"));
  CHECK(contains(error_of([&] { kernel.remember(ones({3, hidden}), two); }), "has 3 rows, the sequences 2"));
  CHECK(contains(error_of([&] { kernel.cross(x, two, ones({2, 8}), two); }), "attention: input has shape (2, 8)"));
  for (const nn::Attention* attention : {&kernel, &softmax}) {
    const Tape tape(*attention);
    CHECK(contains(error_of([&] { attention->remember(x, two); }), "a state has no derivatives"));
    CHECK(contains(error_of([&] { attention->recall(x, attention == &kernel ? sums : cache); }),
                   "a state has no derivatives"));
  }
}
