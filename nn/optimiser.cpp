#include <cmath>
#include <set>

#include <lintel/core/parallel.hpp>
#include <lintel/nn/optimiser.hpp>

namespace lintel::nn {
namespace optimiser_detail {

constexpr std::int64_t block = 1 << 14;  // elements of one parallel task

void check_option(const char* optimiser, const char* option, double value, double limit) {
  if (value >= 0 && value < limit) return;
  fail(optimiser, ": ", option, " is ", value, ", at least 0 and below ", limit, " wanted");
}

void check_parameters(const char* optimiser, const std::vector<NamedTensor>& parameters) {
  for (const auto& [name, parameter] : parameters) {
    if (parameter.dtype() == DType::float32 || parameter.dtype() == DType::float64) continue;
    fail(optimiser, ": parameter ", name, " is ", parameter.dtype(), ", float32 or float64 wanted");
  }
}

/// Without the second names of tensors that have two, which would be stepped twice.
std::vector<NamedTensor> each_once(std::vector<NamedTensor> parameters) {
  std::set<std::uint64_t> seen;
  std::erase_if(parameters, [&](const NamedTensor& parameter) { return !seen.insert(parameter.tensor.id()).second; });
  return parameters;
}

std::vector<Tensor> zeros_like(const std::vector<NamedTensor>& parameters) {
  std::vector<Tensor> result;
  for (const auto& [name, parameter] : parameters) result.push_back(zeros(parameter.shape(), parameter.dtype()));
  return result;
}

/// Looks everything up before anything is written, so that an error leaves model and state as they were.
std::vector<Tensor> gradients_in_order(const char* optimiser, const std::vector<NamedTensor>& parameters,
                                       const Gradients& gradients, double learning_rate) {
  if (!(learning_rate >= 0) || !std::isfinite(learning_rate)) {
    fail(optimiser, ": learning rate is ", learning_rate, ", a finite number from 0 wanted");
  }
  std::vector<Tensor> result;
  for (const auto& [name, parameter] : parameters) {
    if (!gradients.contains(parameter)) {
      fail(optimiser, ": no gradient for parameter ", name, " of shape ", parameter.shape(), "; was it watched?");
    }
    result.push_back(gradients[parameter]);
  }
  return result;
}

template <class T>
void sgd_update(const Tensor& parameter, const Tensor& momentum, const Tensor& gradient, const SgdOptions& options,
                double learning_rate) {
  T* const w = write<T>(parameter, "SGD");
  T* const b = momentum.defined() ? write<T>(momentum, "SGD") : nullptr;
  const T* const g = gradient.data<T>();
  const T rate = static_cast<T>(learning_rate), decay = static_cast<T>(options.weight_decay);
  const T keep = static_cast<T>(options.momentum);
  parallel_blocks(parameter.size(), block, 2, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      T direction = g[i] + decay * w[i];
      if (b != nullptr) direction = b[i] = keep * b[i] + direction;
      w[i] -= rate * direction;
    }
  });
}

template <class T>
void adamw_update(const Tensor& parameter, const Tensor& first_moment, const Tensor& second_moment,
                  const Tensor& gradient, const AdamWOptions& options, double learning_rate, std::int64_t step) {
  T* const w = write<T>(parameter, "AdamW");
  T* const m = write<T>(first_moment, "AdamW");
  T* const v = write<T>(second_moment, "AdamW");
  const T* const g = gradient.data<T>();
  const auto t = static_cast<double>(step);
  const T shrink = static_cast<T>(1 - learning_rate * options.weight_decay);
  const T new1 = static_cast<T>(1 - options.beta1);
  const T keep2 = static_cast<T>(options.beta2), new2 = static_cast<T>(1 - options.beta2);
  const T rate = static_cast<T>(learning_rate / (1 - std::pow(options.beta1, t)));
  const T correction2 = static_cast<T>(std::sqrt(1 - std::pow(options.beta2, t)));
  const T epsilon = static_cast<T>(options.epsilon);
  parallel_blocks(parameter.size(), block, 8, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      m[i] += new1 * (g[i] - m[i]);
      v[i] = keep2 * v[i] + new2 * g[i] * g[i];
      w[i] = w[i] * shrink - rate * (m[i] / (std::sqrt(v[i]) / correction2 + epsilon));
    }
  });
}

}  // namespace optimiser_detail

SGD::SGD(std::vector<NamedTensor> parameters, const SgdOptions& options)
    : parameters_(optimiser_detail::each_once(std::move(parameters))), options_(options) {
  optimiser_detail::check_option("SGD", "momentum", options.momentum, 1);
  optimiser_detail::check_option("SGD", "weight decay", options.weight_decay, HUGE_VAL);
  optimiser_detail::check_parameters("SGD", parameters_);
  if (options.momentum > 0) momentum_ = optimiser_detail::zeros_like(parameters_);
}

void SGD::step(const Gradients& gradients, double learning_rate) {
  const auto in_order = optimiser_detail::gradients_in_order("SGD", parameters_, gradients, learning_rate);
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& parameter = parameters_[i].tensor;
    const Tensor momentum = momentum_.empty() ? Tensor() : momentum_[i];
    with_float_type("SGD", parameter.dtype(), [&]<class T>() {
      optimiser_detail::sgd_update<T>(parameter, momentum, in_order[i], options_, learning_rate);
    });
  }
}

AdamW::AdamW(std::vector<NamedTensor> parameters, const AdamWOptions& options)
    : parameters_(optimiser_detail::each_once(std::move(parameters))),
      options_(options),
      step_(scalar(0, DType::int64)) {
  optimiser_detail::check_option("AdamW", "beta1", options.beta1, 1);
  optimiser_detail::check_option("AdamW", "beta2", options.beta2, 1);
  if (!(options.epsilon > 0)) fail("AdamW: epsilon is ", options.epsilon, ", above 0 wanted: it keeps 0 / 0 away");
  optimiser_detail::check_option("AdamW", "weight decay", options.weight_decay, HUGE_VAL);
  optimiser_detail::check_parameters("AdamW", parameters_);
  first_moment_ = optimiser_detail::zeros_like(parameters_);
  second_moment_ = optimiser_detail::zeros_like(parameters_);
}

void AdamW::step(const Gradients& gradients, double learning_rate) {
  const auto in_order = optimiser_detail::gradients_in_order("AdamW", parameters_, gradients, learning_rate);
  const std::int64_t step = ++*write<std::int64_t>(step_, "AdamW");
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor& parameter = parameters_[i].tensor;
    with_float_type("AdamW", parameter.dtype(), [&]<class T>() {
      optimiser_detail::adamw_update<T>(parameter, first_moment_[i], second_moment_[i], in_order[i], options_,
                                        learning_rate, step);
    });
  }
}

}  // namespace lintel::nn
