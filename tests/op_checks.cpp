#include "op_checks.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory_resource>
#include <regex>

#include <lintel/autograd/gradcheck.hpp>
#include <lintel/autograd/tape.hpp>
#include <lintel/core/isa.hpp>
#include <lintel/core/memory.hpp>
#include <lintel/core/parallel.hpp>

namespace lintel::op_table {

namespace {

constexpr DType floating_types[] = {DType::float32, DType::float64};

/// What one call gives: the value and the gradient with respect to every floating input, undefined for others.
struct Outcome {
  Tensor value;
  Tensors gradients;
};

bool has_gradient(const Tensor& x) { return x.defined() && is_floating(x.dtype()); }

/// A fixed cotangent of the shape of `value`.
Tensor cotangent_of(const Tensor& value) {
  Rng rng(7);
  return convert(uniform(value.shape(), 0.5, 1.5, rng), value.dtype());
}

Outcome run(const OpRow& row, const Tensors& inputs) {
  Tape tape;
  Tensors watched;
  for (const Tensor& x : inputs) {
    if (!has_gradient(x)) continue;
    tape.watch(x);
    watched.push_back(x);
  }
  Outcome outcome;
  outcome.value = row.call(inputs);
  outcome.gradients.resize(inputs.size());
  if (watched.empty()) return outcome;
  const Gradients gradients = tape.gradients(outcome.value, watched, {.seeds = {cotangent_of(outcome.value)}});
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (has_gradient(inputs[i])) outcome.gradients[i] = gradients[inputs[i]];
  }
  return outcome;
}

// ---- Comparisons ---------------------------------------------------------------------------------------------------

bool agree(double a, double b, const Tolerance& tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  if (std::isinf(a) || std::isinf(b)) return a == b;
  return std::abs(a - b) <= tolerance.absolute + tolerance.relative * std::abs(b);
}

void expect_close(const std::string& what, const Tensor& a, const Tensor& b, const Tolerance& tolerance) {
  if (a.defined() != b.defined()) fail(what, ": one result is undefined");
  if (!a.defined()) return;
  if (a.shape() != b.shape()) fail(what, ": shapes ", a.shape(), " and ", b.shape());
  const Tensor x = convert(a, DType::float64), y = convert(b, DType::float64);
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const double first = x.values<double>()[static_cast<std::size_t>(i)];
    const double second = y.values<double>()[static_cast<std::size_t>(i)];
    if (!agree(first, second, tolerance)) fail(what, ": element ", i, " is ", first, " and ", second);
  }
}

void expect_close(const std::string& what, const Outcome& a, const Outcome& b, const Tolerance& tolerance) {
  expect_close(what + ", value", a.value, b.value, tolerance);
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    expect_close(what + ", gradient of input " + std::to_string(i), a.gradients[i], b.gradients[i], tolerance);
  }
}

void expect_same_bits(const std::string& what, const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) fail(what, ": one result is undefined");
  if (!a.defined()) return;
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) fail(what, ": another shape or type");
  if (std::memcmp(view(a).data, view(b).data, a.bytes()) != 0) fail(what, ": other bits");
}

void expect_same_bits(const std::string& what, const Outcome& a, const Outcome& b) {
  expect_same_bits(what + ", value", a.value, b.value);
  for (std::size_t i = 0; i < a.gradients.size(); ++i) {
    expect_same_bits(what + ", gradient of input " + std::to_string(i), a.gradients[i], b.gradients[i]);
  }
}

const Tolerance& tolerance_of(const OpRow& row, DType floating) {
  return floating == DType::float32 ? row.float32_tolerance : row.float64_tolerance;
}

std::string of_sample(const OpRow& row, std::size_t sample, const std::string& what) {
  return label(row) + ", sample " + std::to_string(sample) + ", " + what;
}

// ---- Changed inputs ------------------------------------------------------------------------------------------------

/// The same elements one element after the beginning of a buffer, and so aligned to no more than an element.
Tensor unaligned(const Tensor& x) {
  if (!x.defined()) return x;
  const Tensor buffer = empty({x.size() + 1}, x.dtype());
  const Tensor result = share_buffer(buffer, x.shape(), 1);
  copy_into(result, x, "unaligned");
  return result;
}

/// `x` with `value` in the middle.
Tensor poisoned(const Tensor& x, double value) {
  Tensor result = clone(x);
  with_float_type("poisoned", x.dtype(),
                  [&]<class T>() { write<T>(result, "poisoned")[x.size() / 2] = static_cast<T>(value); });
  return result;
}

bool has_nan(const Tensor& x) {
  const Tensor values = convert(x, DType::float64);
  for (const double value : values.values<double>()) {
    if (std::isnan(value)) return true;
  }
  return false;
}

bool contains(const std::vector<std::size_t>& list, std::size_t index) {
  return std::find(list.begin(), list.end(), index) != list.end();
}

// ---- Settings that a check changes ---------------------------------------------------------------------------------

/// Restores the number of threads and the instruction set.
class Restored {
 public:
  Restored() : threads_(threads()), isa_(active_isa()) {}
  ~Restored() {
    set_threads(threads_);
    set_active_isa(isa_);
  }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  int threads_;
  Isa isa_;
};

/// Takes tensors from the system, one block each, so that a sanitiser sees a read behind the end.
class BlocksOfTheirOwn {
 public:
  BlocksOfTheirOwn() { set_tensor_memory(std::pmr::new_delete_resource()); }
  ~BlocksOfTheirOwn() { set_tensor_memory(nullptr); }
  BlocksOfTheirOwn(const BlocksOfTheirOwn&) = delete;
  BlocksOfTheirOwn& operator=(const BlocksOfTheirOwn&) = delete;
};

}  // namespace

void check_value(const OpRow& row) {
  for (std::size_t i = 0; i < row.samples.size(); ++i) {
    const Tensors inputs = draw(row.samples[i], DType::float64);
    const Tensor value = row.call(inputs);
    expect_close(of_sample(row, i, "float32 and float64"), row.call(draw(row.samples[i], DType::float32)), value,
                 row.float32_tolerance);
    if (row.reference) {
      expect_close(of_sample(row, i, "value and reference"), value, row.reference(inputs), row.float64_tolerance);
    }
    const BlocksOfTheirOwn memory;
    for (const DType floating : floating_types) {
      const Tensors aligned_inputs = draw(row.samples[i], floating);
      Tensors unaligned_inputs;
      for (const Tensor& x : aligned_inputs) unaligned_inputs.push_back(unaligned(x));
      expect_same_bits(of_sample(row, i, "aligned and unaligned"), run(row, aligned_inputs),
                       run(row, unaligned_inputs));
    }
  }
}

void check_gradient(const OpRow& row) {
  for (std::size_t i = 0; i < row.samples.size(); ++i) {
    const Tensors inputs = draw(row.samples[i], DType::float64);
    expect_close(of_sample(row, i, "float32 and float64"), run(row, draw(row.samples[i], DType::float32)),
                 run(row, inputs), row.float32_tolerance);
    try {
      gradcheck(row.call, inputs);
      if (row.twice_differentiable) gradcheck_second_order(row.call, inputs);
    } catch (const Error& error) {
      fail(of_sample(row, i, error.what()));
    }
  }
}

void check_definition(const OpRow& row) {
  for (std::size_t i = 0; i < row.samples.size(); ++i) {
    for (const DType floating : floating_types) {
      const Tensors inputs = draw(row.samples[i], floating);
      const Outcome by_kernel = run(row, inputs);
      Tape outer;  // makes the vjp one that can be differentiated again
      for (const Tensor& x : inputs) {
        if (has_gradient(x)) outer.watch(x);
      }
      expect_close(of_sample(row, i, "vjp alone and under an outer tape"), by_kernel, run(row, inputs),
                   tolerance_of(row, floating));
      if (!row.fused) continue;
      if (outer.records().empty() || !outer.records().front().definition) {
        fail(of_sample(row, i, "a fused op, but the first record has no definition"));
      }
      const Record fused = outer.records().front();
      Tensors definition_inputs;
      for (const SavedTensor& input : fused.definition_inputs) definition_inputs.push_back(input.tensor);
      expect_close(of_sample(row, i, "kernel and definition"), by_kernel.value,
                   fused.definition(definition_inputs).at(0), tolerance_of(row, floating));
    }
  }
}

void check_threads(const OpRow& row) {
  if (row.large.empty()) return;
  const Restored restored;
  for (const DType floating : floating_types) {
    const Tensors inputs = draw(row.large, floating);
    set_threads(1);
    const Outcome alone = run(row, inputs);
    for (const int count : {2, 7}) {
      set_threads(count);
      (void)row.call(inputs);
      const int forward_threads = threads_used_last();
      const Outcome together = run(row, inputs);
      // A forward pass may end with the sum of a few numbers on one thread, so the end of the backward pass will do
      // too.
      const int most = std::max(forward_threads, threads_used_last());
      if (row.parallel && most != count) fail(label(row), ": ", most, " threads ran, ", count, " wanted");
      expect_same_bits(label(row) + ", 1 and " + std::to_string(count) + " threads", alone, together);
    }
  }
}

void check_special_values(const OpRow& row) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (row.samples.empty()) return;
  const Tensors inputs = draw(row.samples[0], DType::float64), inputs32 = draw(row.samples[0], DType::float32);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (!has_gradient(inputs[i]) || inputs[i].size() == 0) continue;
    for (const double special : {std::nan(""), infinity, -infinity}) {
      Tensors changed = inputs, changed32 = inputs32;
      changed[i] = poisoned(inputs[i], special);
      changed32[i] = poisoned(inputs32[i], special);
      const Tensor value = row.call(changed);
      std::ostringstream what;
      what << label(row) << ", input " << i << " holding " << special;
      if (std::isnan(special) && !contains(row.nan_may_vanish, i) && !has_nan(value)) {
        fail(what.str(), ": no NaN in the output");
      }
      expect_close(what.str() + ", float32 and float64", row.call(changed32), value, row.float32_tolerance);
      if (row.reference) {
        expect_close(what.str() + ", value and reference", value, row.reference(changed), row.float64_tolerance);
      }
    }
  }
}

void check_instruction_sets(const OpRow& row) {
  const Restored restored;
  set_threads(1);
  std::vector<Sample> samples = row.samples;
  if (!row.large.empty()) samples.push_back(row.large);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    for (const DType floating : floating_types) {
      const Tensors inputs = draw(samples[i], floating);
      set_active_isa(Isa::baseline);
      const Outcome baseline = run(row, inputs);
      for (const Isa isa : available_isas()) {
        set_active_isa(isa);
        expect_close(of_sample(row, i, std::string("baseline and ") + isa_name(isa)), run(row, inputs), baseline,
                     tolerance_of(row, floating));
      }
    }
  }
}

void check_errors(const OpRow& row) {
  for (const ErrorCase& wrong : row.errors) {
    std::string sentence = "no error";
    try {
      wrong.call();
    } catch (const Error& error) {
      sentence = error.what();
    }
    if (sentence != wrong.sentence) fail(label(row), ": got \"", sentence, "\", wanted \"", wrong.sentence, "\"");
  }
  if (row.samples.empty()) return;
  const Tensors inputs = draw(row.samples[0], DType::float32);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Tensors changed = inputs;
    changed[i] = Tensor();
    bool is_refused = false;
    try {
      (void)row.call(changed);
    } catch (const Error&) {
      is_refused = true;
    }
    if (!is_refused && !contains(row.optional_inputs, i)) fail(label(row), ": takes an undefined input ", i);
  }
}

std::vector<std::string> exported_functions(const std::string& header_text) {
  static const std::regex declaration(R"((?:^|\n)(?:inline )?Tensor (operator ?[^\s(]+|\w+)\()");
  std::vector<std::string> names;
  for (std::sregex_iterator match(header_text.begin(), header_text.end(), declaration), end; match != end; ++match) {
    names.push_back((*match)[1]);
  }
  return names;
}

}  // namespace lintel::op_table
