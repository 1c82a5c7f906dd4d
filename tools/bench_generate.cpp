// lintel bench generate: what a token costs at the beginning of a text, and what at its end.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include <lintel/core/isa.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/tools/bench_generate.hpp>
#include <lintel/tools/bench_model.hpp>
#include <lintel/tools/bench_timing.hpp>
#include <lintel/train/peak_memory.hpp>

namespace lintel::tools {
namespace {

constexpr std::int64_t window = 1000;  // tokens of a measurement
constexpr std::int64_t turn = 50;      // of them that are written before the other window goes on

struct GenerateShape : Architecture {
  std::int64_t length = 10000, streams = 1, threads = 0, rounds = 5;
  bool write_all = false;

  GenerateShape() { positions = "none"; }
};

models::LanguageModel make_model(const GenerateShape& shape) {
  Rng rng(1);
  return make_language_model(shape, shape.length, rng);
}

/// Streams that are fed tokens one by one: the likeliest one of the logits, as a greedy writer does. A copy goes on
/// from the same tokens.
class Writer {
 public:
  explicit Writer(const GenerateShape& shape)
      : model_(make_model(shape)), state_(model_.empty_state(shape.streams)), tokens_(full_ids(shape.streams)) {}

  std::int64_t parameters() const { return nn::parameter_count(model_); }
  std::int64_t state_bytes() const { return state_.bytes(); }

  /// Reads `count` tokens at once.
  void prefill(std::int64_t count) {
    Rng rng(2);
    const auto streams = static_cast<std::size_t>(state_.streams());
    std::vector<std::vector<std::int64_t>> prompts(streams);
    for (auto& prompt : prompts) {
      for (std::int64_t i = 0; i < count; ++i) prompt.push_back(rng.below(model_.config.vocab));
    }
    take_likeliest(model_.prefill(pack(prompts), state_));
  }

  /// Writes the next `count` tokens.
  void write(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) take_likeliest(model_.step(tokens_, state_));
  }

  /// The same, and appends the seconds that each of them takes.
  void write(std::int64_t count, std::vector<double>& seconds) {
    for (std::int64_t i = 0; i < count; ++i) seconds.push_back(seconds_of([&] { write(1); }));
  }

 private:
  static Tensor full_ids(std::int64_t streams) { return zeros({streams}, DType::int64); }

  void take_likeliest(const Tensor& logits) {
    const std::int64_t vocab = logits.size(1);
    tokens_ = full_ids(logits.size(0));
    auto* const token = lintel::write<std::int64_t>(tokens_, "bench");
    for (std::int64_t i = 0; i < logits.size(0); ++i) {
      const float* const row = logits.data<float>() + i * vocab;
      token[i] = std::max_element(row, row + vocab) - row;
    }
  }

  models::LanguageModel model_;
  models::LanguageModelState state_;
  Tensor tokens_;
};

void check(const GenerateShape& shape) {
  if (shape.length < window) fail("bench: length is ", shape.length, ", at least ", window, " wanted");
  if (shape.streams < 1) fail("bench: streams is ", shape.streams, ", at least 1 wanted");
  if (shape.rounds < 1) fail("bench: rounds is ", shape.rounds, ", at least 1 wanted");
}

/// The median seconds of a token of the first window and of the last one, in each round.
struct Windows {
  std::vector<double> first, last;

  /// How many times as fast the last window is; both of a round know the same noise of the machine.
  double last_to_first() const {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < first.size(); ++i) ratios.push_back(first[i] / last[i]);
    return median(ratios);
  }
};

/// The first window begins behind a hundred tokens that wake threads and fill caches, the last one ends the text. What
/// lies between their beginnings is read at once, unless all shall be written. Then both are written, a few tokens in
/// turn, in each round from copies of what was remembered where they begin. Leaves `writer` at the end of the text.
Windows measure(Writer& writer, const GenerateShape& shape) {
  const std::int64_t begin = std::min<std::int64_t>(100, shape.length - window);
  const std::int64_t between = shape.length - window - begin;
  writer.write(begin);
  const Writer at_first = writer;
  if (between > 0 && shape.write_all) writer.write(between);
  if (between > 0 && !shape.write_all) writer.prefill(between);
  const Writer at_last = writer;
  Windows windows;
  for (std::int64_t round = 0; round < shape.rounds; ++round) {
    std::vector<double> of_first, of_last;
    Writer first = at_first;
    writer = at_last;
    for (std::int64_t token = 0; token < window; token += turn) {
      first.write(turn, of_first);
      writer.write(turn, of_last);
    }
    windows.first.push_back(median(of_first));
    windows.last.push_back(median(of_last));
  }
  return windows;
}

int run(const GenerateShape& shape) {
  check(shape);
  use_threads(shape.threads);
  Writer writer(shape);
  const Windows windows = measure(writer, shape);
  const auto speed_of = [&](const std::vector<double>& seconds) {
    return rounded(static_cast<double>(shape.streams) / median(seconds), 1);
  };
  print_json({{"attention", shape.attention},
              {"kernel_layers", shape.kernel_layers},
              {"positions", shape.positions},
              {"feed_forward", shape.feed_forward},
              {"length", shape.length},
              {"streams", shape.streams},
              {"threads", threads()},
              {"isa", isa_name(active_isa())},
              {"rounds", shape.rounds},
              {"tokens_per_s_first", speed_of(windows.first)},
              {"tokens_per_s_last", speed_of(windows.last)},
              {"last_to_first", rounded(windows.last_to_first(), 3)},
              {"state_bytes", writer.state_bytes()},
              {"parameters", writer.parameters()},
              {"peak_rss_mib", train::peak_resident_bytes() >> 20}});
  return 0;
}

}  // namespace

void add_bench_generate(CLI::App& bench, Action& action) {
  auto shape = std::make_shared<GenerateShape>();
  CLI::App& generate = *bench.add_subcommand("generate", "Tokens a second at the beginning and at the end of a text");
  add_architecture_options(generate, *shape);
  generate.add_option("--length", shape->length, "tokens of the text, at least 1000")->capture_default_str();
  generate.add_option("--streams", shape->streams, "texts written at the same time")->capture_default_str();
  generate.add_option("--rounds", shape->rounds, "times that the first and the last 1000 tokens are written, in turns")
      ->capture_default_str();
  generate.add_flag("--write-all", shape->write_all, "write what lies between the windows too, instead of reading it");
  add_threads_option(generate, shape->threads);
  generate.callback([shape, &action] { action = [shape] { return run(*shape); }; });
}

}  // namespace lintel::tools
