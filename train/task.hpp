// What the training loop asks of a task. The loop knows neither tables nor texts, a task knows neither steps nor files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include <lintel/nn/parameters.hpp>
#include <lintel/nn/training.hpp>

namespace lintel::train {

/// How good a model is on some data.
struct Evaluation {
  double loss = 0;                 ///< mean cross entropy of a target (a row's class, a byte, a token), in nats
  std::optional<double> accuracy;  ///< from 0 to 1, of a classifier
  std::int64_t targets = 0;        ///< how many rows, bytes or tokens were predicted

  /// Whether this is a better result: a higher accuracy, or where that is equal or there is none, a lower loss.
  bool better_than(const Evaluation& other) const;
};

/// "loss 1.2345, accuracy 67.8 %"
std::string text_of(const Evaluation& evaluation);

/// {"loss": …, "accuracy": …, "targets": …}, and back; a loss that is not finite does not come back.
nlohmann::ordered_json to_json(const Evaluation& evaluation);
Evaluation evaluation_of_json(const nlohmann::ordered_json& json);

/// Tokens of a batch, as they are and as arrays of equal rows would hold them.
struct TokenCount {
  std::int64_t real = 0;
  std::int64_t padded_to_longest = 0;  ///< every sequence as long as the longest of its batch
  std::int64_t padded_to_limit = 0;    ///< every sequence as long as the model allows

  TokenCount& operator+=(const TokenCount& other);
};

/// A model with the data it learns from. A batch is a list of items: rows of a table, or places in a text.
class Task {
 public:
  using Items = std::vector<std::int64_t>;

  virtual ~Task() = default;

  /// The model's parameters; handles, so that the optimiser writes into the model.
  virtual std::vector<NamedTensor> parameters() const = 0;
  /// Steps that make up one pass over the training data.
  virtual std::int64_t steps_per_epoch() const = 0;
  /// The items of `step`, counted from 0: a function of the run's seed and of `step`.
  virtual Items items(std::int64_t step) = 0;
  /// The training loss: a scalar, the mean over the targets of `items`.
  virtual Tensor loss(const Items& items, const nn::Training& training) const = 0;
  /// How many targets `items` have, up to a factor that all items share: what their loss counts beside others'.
  virtual std::int64_t count_targets(const Items& items) const { return static_cast<std::int64_t>(items.size()); }
  virtual TokenCount count_tokens(const Items& items) const = 0;
  /// The validation data, or nothing if there is none.
  virtual std::optional<Evaluation> evaluate() const = 0;
  /// A short text that is another one for other training data.
  virtual std::string fingerprint() const = 0;
};

}  // namespace lintel::train
