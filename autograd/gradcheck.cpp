#include <cmath>
#include <lintel/autograd/gradcheck.hpp>
#include <lintel/autograd/tape.hpp>

namespace lintel {
namespace gradcheck_detail {

bool is_checked(const Tensor& x) { return x.dtype() == DType::float64; }

/// A fixed direction in the space of the output, so that one number stands for the whole of it.
Tensor direction_like(const Tensor& output) {
  Rng rng(20221109);
  return uniform(output.shape(), 0.5, 1.5, rng, output.dtype());
}

double dot(const Tensor& a, const Tensor& b) {
  const double* x = a.data<double>();
  const double* y = b.data<double>();
  double sum = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) sum += x[i] * y[i];
  return sum;
}

/// `x` with `change` added to element `index`.
Tensor shifted(const Tensor& x, std::int64_t index, double change) {
  Tensor result = clone(x);
  write<double>(result, "gradcheck")[index] += change;
  return result;
}

double central_difference(const TensorFunction& f, std::vector<Tensor> inputs, std::size_t input, std::int64_t index,
                          const Tensor& direction, double step) {
  const Tensor original = inputs[input];
  inputs[input] = shifted(original, index, step);
  const double above = dot(f(inputs), direction);
  inputs[input] = shifted(original, index, -step);
  const double below = dot(f(inputs), direction);
  return (above - below) / (2 * step);
}

/// The tape's gradient of Σ direction⊙f with respect to every checked input; recorded by outer tapes.
std::vector<Tensor> tape_gradients(const TensorFunction& f, const std::vector<Tensor>& inputs,
                                   const Tensor& direction) {
  std::vector<Tensor> fresh, wrt;
  for (const Tensor& x : inputs) fresh.push_back(is_checked(x) ? fresh_identity(x) : x);
  Tape tape;
  for (const Tensor& x : fresh) {
    if (!is_checked(x)) continue;
    tape.watch(x);
    wrt.push_back(x);
  }
  const Gradients gradients = tape.gradients(f(fresh), wrt, {.seeds = {direction}});
  std::vector<Tensor> result;
  for (const Tensor& x : wrt) result.push_back(gradients[x]);
  return result;
}

}  // namespace gradcheck_detail

void gradcheck(const TensorFunction& f, const std::vector<Tensor>& inputs, const GradcheckOptions& options) {
  using namespace gradcheck_detail;
  const Tensor output = f(inputs);
  if (output.dtype() != DType::float64) fail("gradcheck: the function returns ", output.dtype(), ", float64 wanted");
  const Tensor direction = direction_like(output);
  const std::vector<Tensor> gradients = tape_gradients(f, inputs, direction);
  std::size_t checked = 0;
  for (std::size_t input = 0; input < inputs.size(); ++input) {
    if (!is_checked(inputs[input])) continue;
    const double* gradient = gradients[checked++].data<double>();
    for (std::int64_t i = 0; i < inputs[input].size(); ++i) {
      const double difference = central_difference(f, inputs, input, i, direction, options.step);
      const double allowed = options.absolute_tolerance + options.relative_tolerance * std::abs(difference);
      if (std::abs(gradient[i] - difference) <= allowed) continue;  // written so that NaN fails
      fail("gradcheck: input ", input, " element ", i, ": the tape says ", gradient[i], ", finite differences ",
           difference);
    }
  }
}

void gradcheck_second_order(const TensorFunction& f, const std::vector<Tensor>& inputs,
                            const GradcheckOptions& options) {
  using namespace gradcheck_detail;
  const Tensor direction = direction_like(f(inputs));
  std::size_t checked_inputs = 0;
  for (const Tensor& x : inputs) checked_inputs += is_checked(x);
  for (std::size_t which = 0; which < checked_inputs; ++which) {
    gradcheck([&](const std::vector<Tensor>& at) { return tape_gradients(f, at, direction)[which]; }, inputs, options);
  }
}

}  // namespace lintel
