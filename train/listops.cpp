#include <algorithm>
#include <array>
#include <lintel/core/atomic_file.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/random.hpp>
#include <lintel/train/listops.hpp>
#include <lintel/train/listops_rules.hpp>
#include <unordered_set>

namespace lintel::train {
namespace {

// The code of an expression is its nodes in prefix order: a digit is one character, an operator is its letter and then
// the number of its arguments as a byte.
constexpr std::array<ListOpsOperator, 4> generated_operators = {ListOpsOperator::minimum, ListOpsOperator::maximum,
                                                                ListOpsOperator::median, ListOpsOperator::sum};
constexpr std::array<char, 4> operator_letters = {'m', 'M', 'd', 's'};

// After so many tokens without a new accepted expression the settings have none left, or next to none. Long Range
// Arena's settings take about 2,000 tokens an expression.
constexpr std::int64_t patience = 20'000'000;

bool is_code_of_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t operator_of_letter(char letter) {
  return static_cast<std::size_t>(std::find(operator_letters.begin(), operator_letters.end(), letter) -
                                  operator_letters.begin());
}

// Draws one expression at a time.
class ListOpsDraw {
 public:
  ListOpsDraw(const ListOpsConfig& config, Rng& random) : config_(config), random_(random) {}

  // Draws an expression; false if it is shorter or longer than wanted.
  bool draw() {
    code_.clear();
    tokens_ = 0;
    target_ = draw_node(1);
    return tokens_ >= config_.min_tokens && tokens_ <= config_.max_tokens;
  }

  const std::string& code() const { return code_; }
  int target() const { return target_; }
  std::int64_t tokens() const { return tokens_; }

 private:
  // Draws a node of the given depth and returns its value. An expression that is already too long is given up, so that
  // no setting makes one that never ends; its value means nothing.
  int draw_node(int depth) {
    if (tokens_ > config_.max_tokens) return 0;
    if (depth < config_.max_depth && random_.uniform() < config_.operator_probability) return draw_operator(depth);
    const int digit = static_cast<int>(random_.below(10));
    code_ += static_cast<char>('0' + digit);
    tokens_ += 1;
    return digit;
  }

  int draw_operator(int depth) {
    const auto which = static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(generated_operators.size())));
    const auto count = config_.min_arguments + random_.below(config_.max_arguments - config_.min_arguments + 1);
    code_ += operator_letters[which];
    code_ += static_cast<char>(count);
    tokens_ += 2;
    std::vector<int> arguments;
    for (std::int64_t i = 0; i < count; ++i) arguments.push_back(draw_node(depth + 1));
    return apply_listops(generated_operators[which], arguments);
  }

  const ListOpsConfig& config_;
  Rng& random_;
  std::string code_;
  std::int64_t tokens_ = 0;
  int target_ = 0;
};

void check_listops_config(const ListOpsConfig& config) {
  auto require = [](bool holds, const char* what, auto got) {
    if (!holds) fail("listops: ", what, ", got ", got);
  };
  for (const std::int64_t examples : {config.train, config.valid, config.test}) {
    require(examples >= 0 && examples <= 1'000'000'000, "numbers of examples must be from 0 to 10^9", examples);
  }
  require(config.max_depth >= 1 && config.max_depth <= 1000, "max_depth must be from 1 to 1000", config.max_depth);
  require(config.operator_probability >= 0 && config.operator_probability <= 1,
          "operator_probability must be from 0 to 1", config.operator_probability);
  require(config.min_arguments >= 1, "min_arguments must be at least 1", config.min_arguments);
  require(config.max_arguments >= config.min_arguments && config.max_arguments <= 127,
          "max_arguments must be from min_arguments to 127", config.max_arguments);
  require(config.min_tokens >= 1, "min_tokens must be at least 1", config.min_tokens);
  require(config.max_tokens >= config.min_tokens && config.max_tokens <= 1'000'000,
          "max_tokens must be from min_tokens to 1000000", config.max_tokens);
}

// The order in which distinct expressions were found is not random: common ones come first. A part cut from it would
// not look like the others.
void shuffle_examples(std::vector<ListOpsExample>& examples, Rng& random) {
  for (std::size_t i = examples.size(); i > 1; --i) {
    std::swap(examples[i - 1], examples[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(i)))]);
  }
}

std::vector<ListOpsExample> take_last(std::vector<ListOpsExample>& examples, std::int64_t count) {
  const auto begin = examples.end() - count;
  std::vector<ListOpsExample> taken(std::make_move_iterator(begin), std::make_move_iterator(examples.end()));
  examples.erase(begin, examples.end());
  return taken;
}

// Appends the node at `place` of `code`, with its arguments, to `source`; returns the place after it.
std::size_t append_node(const std::string& code, std::size_t place, bool parentheses, std::string& source) {
  if (is_code_of_digit(code[place])) {
    source += code[place];
    return place + 1;
  }
  const int arguments = code[place + 1];
  if (parentheses) {
    for (int i = 0; i <= arguments; ++i) source += "( ";
  }
  source += listops_operator_token(generated_operators[operator_of_letter(code[place])]);
  place += 2;
  for (int i = 0; i < arguments; ++i) {
    source += ' ';
    place = append_node(code, place, parentheses, source);
    if (parentheses) source += " )";
  }
  source += parentheses ? " ] )" : " ]";
  return place;
}

}  // namespace

ListOpsConfig ListOpsConfig::short_variant() {
  ListOpsConfig config;
  config.max_depth = 3;
  config.operator_probability = 0.35;
  config.max_arguments = 5;
  config.min_tokens = 8;
  config.max_tokens = 40;
  return config;
}

std::string ListOpsExample::source(bool parentheses) const {
  std::string source;
  append_node(code_, 0, parentheses, source);
  return source;
}

ListOpsSplits generate_listops(const ListOpsConfig& config) {
  check_listops_config(config);
  const auto wanted = static_cast<std::size_t>(config.train + config.valid + config.test);
  ListOpsSplits splits;
  Rng random(config.seed);
  ListOpsDraw expression(config, random);
  std::vector<ListOpsExample> examples;
  std::unordered_set<std::string> seen;
  std::int64_t fruitless_tokens = 0;
  while (examples.size() < wanted) {
    ++splits.roots_drawn;
    if (expression.draw() && seen.insert(expression.code()).second) {
      examples.emplace_back(expression.code(), expression.target());
      fruitless_tokens = 0;
    } else if ((fruitless_tokens += expression.tokens()) > patience) {
      fail("listops: found ", examples.size(), " of ", wanted, " distinct expressions of ", config.min_tokens, " to ",
           config.max_tokens, " tokens, then none in ", patience, " tokens");
    }
  }
  shuffle_examples(examples, random);
  splits.test = take_last(examples, config.test);
  splits.valid = take_last(examples, config.valid);
  splits.train = std::move(examples);
  return splits;
}

void write_listops(const std::filesystem::path& path, const std::vector<ListOpsExample>& examples, bool parentheses) {
  AtomicFile file(path);
  file.write("Source\tTarget\n");
  for (const ListOpsExample& example : examples) {
    file.write(example.source(parentheses) + "\t" + std::to_string(example.target()) + "\n");
  }
  file.commit();
}

}  // namespace lintel::train
