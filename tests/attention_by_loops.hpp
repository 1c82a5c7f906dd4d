// Attention written as three plain loops in float64, which the fused ops are compared with.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include <lintel/core/tensor.hpp>
#include <lintel/ops/sequences.hpp>

namespace lintel {

/// The weight of a value, from the scalar product of its key with the query.
using WeightOfProduct = std::function<double(double)>;

/// o_i = Σ_j w(q_i·k_j) v_j / (Σ_j w(q_i·k_j) + epsilon) in float64, whatever the type of the inputs; 0 where the
/// denominator is 0. With `root_of_count` the root of the number of visible keys, at least 1, divides. As in a product
/// of matrices, a hidden key of the same 64 rows takes part with a weight of 0: a NaN among its values passes.
inline Tensor attention_by_loops(const Tensor& q_any, const Tensor& k_any, const Tensor& v_any,
                                 const Sequences& queries, const Sequences& keys, bool causal, double epsilon,
                                 const WeightOfProduct& w, bool root_of_count = false) {
  const Tensor q = convert(q_any, DType::float64), k = convert(k_any, DType::float64),
               v = convert(v_any, DType::float64);
  const std::int64_t heads = q.size(-2), m = q.size(-1), d = v.size(-1);
  Tensor o = zeros(q.shape().with(-1, d), DType::float64);
  double* output = write<double>(o, "attention_by_loops");
  for (std::int64_t s = 0; s < queries.count(); ++s) {
    for (std::int64_t i = 0; i < queries.length(s); ++i) {
      for (std::int64_t h = 0; h < heads; ++h) {
        const std::int64_t query = (queries.begin(s) + i) * heads + h;
        std::vector<double> sum(static_cast<std::size_t>(d));
        double denominator = epsilon;
        const std::int64_t visible = causal ? i + 1 : keys.length(s);
        const std::int64_t end = causal ? std::min(keys.length(s), (i / 64 + 1) * 64) : visible;
        for (std::int64_t j = 0; j < end; ++j) {
          const std::int64_t key = (keys.begin(s) + j) * heads + h;
          double product = 0;
          for (std::int64_t c = 0; c < m; ++c)
            product += q.data<double>()[query * m + c] * k.data<double>()[key * m + c];
          const double weight = j < visible ? w(product) : 0;
          denominator += weight;
          for (std::int64_t c = 0; c < d; ++c) {
            sum[static_cast<std::size_t>(c)] += weight * v.data<double>()[key * d + c];
          }
        }
        if (root_of_count) denominator = std::sqrt(std::max(1.0, static_cast<double>(visible)));
        for (std::int64_t c = 0; c < d && denominator != 0; ++c) {
          output[query * d + c] = sum[static_cast<std::size_t>(c)] / denominator;
        }
      }
    }
  }
  return o;
}

/// Packed sequences of these lengths.
inline Sequences sequences_of(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t length : lengths) offsets.push_back(offsets.back() + length);
  return Sequences::packed(Tensor({static_cast<std::int64_t>(offsets.size())}, offsets));
}

}  // namespace lintel
