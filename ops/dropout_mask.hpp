// Dropout of a part of an array, for the ops that fuse it.
#pragma once

#include <algorithm>
#include <cstdint>

#include <lintel/core/error.hpp>
#include <lintel/ops/dropout.hpp>
#include <lintel/ops/kernel_table.hpp>
#include <lintel/ops/products.hpp>

namespace lintel {

/// Throws an `Error` that names `op` unless the rate is in [0, 1).
inline void check_dropout_rate(const char* op, double rate) {
  if (!(rate >= 0 && rate < 1)) fail(op, ": rate is ", rate, ", a number in [0, 1) wanted");
}

/// The smallest random word that keeps an element; a rate next to 1 keeps the largest word.
inline std::uint32_t dropout_threshold(double rate) {
  return static_cast<std::uint32_t>(std::min(rate * 0x1p32, 0x1p32 - 1));
}

/// Dropout of elements [first, first + count) of an array, which lie at x and go to y; `first` is a multiple of 4, the
/// words of a counter. y may be x.
template <class T>
void apply_dropout(const DropoutMask& mask, const T* x, T* y, std::int64_t first, std::int64_t count) {
  active_kernels<T>().dropout(x, y, first, count, mask.key, dropout_threshold(mask.rate),
                              static_cast<T>(1 / (1 - mask.rate)));
}

/// Dropout of x (rows, columns), whose row r is elements [first + r·apart, first + r·apart + columns) of an array, to
/// y, which may be x.
template <class T>
void apply_dropout_to_rows(const DropoutMask& mask, std::int64_t rows, std::int64_t columns, ConstBlock<T> x,
                           Block<T> y, std::int64_t first, std::int64_t apart) {
  active_kernels<T>().dropout_rows(x.first, x.stride, y.first, y.stride, first, apart, rows, columns, mask.key,
                                   dropout_threshold(mask.rate), static_cast<T>(1 / (1 - mask.rate)));
}

}  // namespace lintel
