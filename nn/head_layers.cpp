#include <algorithm>
#include <vector>

#include <lintel/nn/head_layers.hpp>
#include <lintel/ops/short_convolution.hpp>

namespace lintel::nn {
namespace head_layers_detail {

/// The identity: 1 for the token itself, 0 for those before it.
Tensor first_tap(std::int64_t width, std::int64_t channels) {
  if (width < 1) fail("attention: a convolution of width ", width, ", at least 1 wanted");
  const Tensor weight = zeros({width, channels});
  std::fill_n(write<float>(weight, "short_convolutions"), channels, 1.0F);
  return weight;
}

/// Copies rows of the last axis, counted over all other axes.
void copy_rows(const Tensor& from, std::int64_t first, std::int64_t count, const Tensor& to, std::int64_t target) {
  const std::size_t size = static_cast<std::size_t>(from.size(-1)) * dtype_size(from.dtype());
  const auto* const source = static_cast<const std::byte*>(view(from).data);
  auto* const destination = static_cast<std::byte*>(write_bytes(to, from.dtype(), "short_convolutions"));
  std::copy_n(source + static_cast<std::size_t>(first) * size, static_cast<std::size_t>(count) * size,
              destination + static_cast<std::size_t>(target) * size);
}

}  // namespace head_layers_detail

ShortConvolutions::ShortConvolutions(std::int64_t width, std::int64_t query_channels, std::int64_t key_channels)
    : q(head_layers_detail::first_tap(width, query_channels)),
      k(head_layers_detail::first_tap(width, key_channels)),
      v(head_layers_detail::first_tap(width, key_channels)) {}

ConvolutionTails ShortConvolutions::empty_tails(std::int64_t streams) const {
  const auto tail = [&](const Tensor& weight) {
    return zeros({streams, weight.size(0) - 1, weight.size(1)}, weight.dtype());
  };
  return {tail(q), tail(k), tail(v)};
}

ContinuedConvolution continue_convolution(const Tensor& x, const Tensor& weight, const Sequences& sequences,
                                          const Tensor& tail) {
  using head_layers_detail::copy_rows;
  const std::int64_t kept = weight.size(0) - 1, count = sequences.count();
  const Shape wanted{count, kept, weight.size(1)};
  if (tail.shape() != wanted || tail.dtype() != x.dtype()) {
    fail("attention: the state's convolution is ", tail.dtype(), " ", tail.shape(), ", ", x.dtype(), " ", wanted,
         " wanted");
  }
  std::vector<std::int64_t> offsets{0};
  for (std::int64_t i = 0; i < count; ++i) offsets.push_back(offsets.back() + kept + sequences.length(i));
  // Each sequence behind the rows that it goes on from.
  const Tensor joined = empty({offsets.back(), x.size(-1)}, x.dtype());
  const auto begin = [&](std::int64_t i) { return offsets[static_cast<std::size_t>(i)]; };
  for (std::int64_t i = 0; i < count; ++i) {
    copy_rows(tail, i * kept, kept, joined, begin(i));
    copy_rows(x, sequences.begin(i), sequences.length(i), joined, begin(i) + kept);
  }
  const Tensor convolved = short_convolution(joined, weight, Sequences::packed(Tensor({count + 1}, offsets)));
  const Tensor result = zeros(x.shape(), x.dtype()), last = empty(wanted, x.dtype());
  for (std::int64_t i = 0; i < count; ++i) {
    copy_rows(convolved, begin(i) + kept, sequences.length(i), result, sequences.begin(i));
    copy_rows(joined, begin(i + 1) - kept, kept, last, i * kept);
  }
  return {result, last};
}

}  // namespace lintel::nn
