#include <cmath>
#include <set>

#include <lintel/nn/joined_tensors.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel::nn {
namespace optimiser_detail {

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
                                       const Gradients& gradients, double learning_rate, double scale) {
  if (!(learning_rate >= 0) || !std::isfinite(learning_rate)) {
    fail(optimiser, ": learning rate is ", learning_rate, ", a finite number from 0 wanted");
  }
  if (!std::isfinite(scale)) fail(optimiser, ": gradient scale is ", scale, ", a finite number wanted");
  std::vector<Tensor> result;
  for (const auto& [name, parameter] : parameters) {
    if (!gradients.contains(parameter)) {
      fail(optimiser, ": no gradient for parameter ", name, " of shape ", parameter.shape(), "; was it watched?");
    }
    result.push_back(gradients[parameter]);
  }
  return result;
}

/// Calls `update<T>(i, begin, end)` for pieces of every parameter i, T being its type, in one parallel region.
template <class Update>
void update_all(const char* optimiser, const std::vector<NamedTensor>& parameters, double cost, const Update& update) {
  JoinedTensors all;
  for (const auto& [name, parameter] : parameters) all.add(parameter.size());
  all.for_each_block(cost, [&](std::int64_t index) {
    all.for_each_piece(index, [&](std::size_t i, std::int64_t begin, std::int64_t end) {
      with_float_type(optimiser, parameters[i].tensor.dtype(),
                      [&]<class T>() { update.template operator()<T>(i, begin, end); });
    });
  });
}

/// Where the elements of tensors are written.
std::vector<void*> elements_to_write(const char* optimiser, const std::vector<Tensor>& tensors) {
  std::vector<void*> elements;
  for (const Tensor& x : tensors) elements.push_back(write_bytes(x, x.dtype(), optimiser));
  return elements;
}

std::vector<void*> elements_to_write(const char* optimiser, const std::vector<NamedTensor>& tensors) {
  std::vector<void*> elements;
  for (const auto& [name, x] : tensors) elements.push_back(write_bytes(x, x.dtype(), optimiser));
  return elements;
}

template <class T>
AdamWFactors<T> factors_of(const AdamWOptions& options, double learning_rate, double scale, double step) {
  return {.scale = static_cast<T>(scale),
          .new1 = static_cast<T>(1 - options.beta1),
          .keep2 = static_cast<T>(options.beta2),
          .new2 = static_cast<T>(1 - options.beta2),
          .shrink = static_cast<T>(1 - learning_rate * options.weight_decay),
          .rate = static_cast<T>(learning_rate / (1 - std::pow(options.beta1, step))),
          .inverse_correction = static_cast<T>(1 / std::sqrt(1 - std::pow(options.beta2, step))),
          .epsilon = static_cast<T>(options.epsilon)};
}

}  // namespace optimiser_detail

SGD::SGD(std::vector<NamedTensor> parameters, const SgdOptions& options)
    : parameters_(optimiser_detail::each_once(std::move(parameters))), options_(options) {
  optimiser_detail::check_option("SGD", "momentum", options.momentum, 1);
  optimiser_detail::check_option("SGD", "weight decay", options.weight_decay, HUGE_VAL);
  optimiser_detail::check_parameters("SGD", parameters_);
  if (options.momentum > 0) momentum_ = optimiser_detail::zeros_like(parameters_);
}

void SGD::step(const Gradients& gradients, double learning_rate, double gradient_scale) {
  using namespace optimiser_detail;
  const auto in_order = gradients_in_order("SGD", parameters_, gradients, learning_rate, gradient_scale);
  const auto w = elements_to_write("SGD", parameters_), b = elements_to_write("SGD", momentum_);
  update_all("SGD", parameters_, 2, [&]<class T>(std::size_t i, std::int64_t begin, std::int64_t end) {
    const SgdFactors<T> factors{static_cast<T>(gradient_scale), static_cast<T>(options_.weight_decay),
                                static_cast<T>(options_.momentum), static_cast<T>(learning_rate)};
    active_kernels<T>().sgd_update(in_order[i].data<T>() + begin, static_cast<T*>(w[i]) + begin,
                                   b.empty() ? nullptr : static_cast<T*>(b[i]) + begin, end - begin, factors);
  });
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

void AdamW::step(const Gradients& gradients, double learning_rate, double gradient_scale) {
  using namespace optimiser_detail;
  const auto in_order = gradients_in_order("AdamW", parameters_, gradients, learning_rate, gradient_scale);
  const auto step = static_cast<double>(++*write<std::int64_t>(step_, "AdamW"));
  const auto w = elements_to_write("AdamW", parameters_);
  const auto m = elements_to_write("AdamW", first_moment_), v = elements_to_write("AdamW", second_moment_);
  const auto factors32 = factors_of<float>(options_, learning_rate, gradient_scale, step);
  const auto factors64 = factors_of<double>(options_, learning_rate, gradient_scale, step);
  update_all("AdamW", parameters_, 4, [&]<class T>(std::size_t i, std::int64_t begin, std::int64_t end) {
    const AdamWFactors<T>* factors = nullptr;
    if constexpr (sizeof(T) == sizeof(float)) factors = &factors32;
    if constexpr (sizeof(T) == sizeof(double)) factors = &factors64;
    active_kernels<T>().adamw_update(in_order[i].data<T>() + begin, static_cast<T*>(w[i]) + begin,
                                     static_cast<T*>(m[i]) + begin, static_cast<T*>(v[i]) + begin, end - begin,
                                     *factors);
  });
}

}  // namespace lintel::nn
