#include <algorithm>
#include <cmath>

#include <lintel/core/parallel.hpp>
#include <lintel/nn/init.hpp>

namespace lintel::nn {
namespace init_detail {

struct MatrixSizes {
  std::int64_t count, out, in;
};

MatrixSizes matrix_sizes(const char* name, const Shape& shape) {
  if (shape.rank() < 2) fail(name, ": shape ", shape, " has no matrix, (..., out, in) wanted");
  const std::int64_t out = shape[-2], in = shape[-1];
  return {out * in == 0 ? 0 : shape.size() / (out * in), out, in};
}

void subtract_projection(double* vector, const double* direction, std::int64_t length) {
  double product = 0;
  for (std::int64_t i = 0; i < length; ++i) product += vector[i] * direction[i];
  for (std::int64_t i = 0; i < length; ++i) vector[i] -= product * direction[i];
}

void normalise(double* vector, std::int64_t length) {
  double squares = 0;
  for (std::int64_t i = 0; i < length; ++i) squares += vector[i] * vector[i];
  const double scale = 1 / std::sqrt(squares);
  for (std::int64_t i = 0; i < length; ++i) vector[i] *= scale;
}

/// Gram–Schmidt on `count` rows. It divides by norms, which are positive, so it is the QR decomposition whose R has a
/// positive diagonal, and needs no fix of signs. One pass loses orthogonality to rounding; a second restores it.
void orthonormalise(double* rows, std::int64_t count, std::int64_t length) {
  for (std::int64_t row = 0; row < count; ++row) {
    double* const vector = rows + row * length;
    for (int pass = 0; pass < 2; ++pass) {
      for (std::int64_t earlier = 0; earlier < row; ++earlier) {
        subtract_projection(vector, rows + earlier * length, length);
      }
    }
    normalise(vector, length);
  }
}

}  // namespace init_detail

Tensor kaiming_normal(const Shape& shape, Rng& rng, DType dtype) {
  const auto sizes = init_detail::matrix_sizes("kaiming_normal", shape);
  return normal(shape, 0, std::sqrt(2.0 / static_cast<double>(sizes.in)), rng, dtype);
}

Tensor xavier_uniform(const Shape& shape, Rng& rng, DType dtype) {
  const auto sizes = init_detail::matrix_sizes("xavier_uniform", shape);
  const double limit = std::sqrt(6.0 / static_cast<double>(sizes.in + sizes.out));
  return uniform(shape, -limit, limit, rng, dtype);
}

Tensor orthogonal(const Shape& shape, Rng& rng, DType dtype) {
  const auto sizes = init_detail::matrix_sizes("orthogonal", shape);
  const std::int64_t vectors = std::min(sizes.out, sizes.in), length = std::max(sizes.out, sizes.in);
  const Tensor gaussian = normal({sizes.count, vectors, length}, 0, 1, rng, DType::float64);
  double* const rows = write<double>(gaussian, "orthogonal");
  const Tensor result = empty(shape, DType::float64);
  double* const weight = write<double>(result, "orthogonal");
  const auto cost = static_cast<double>(4 * vectors * vectors * length);
  parallel_for(sizes.count, cost, [&](std::int64_t matrix) {
    double* const orthonormal = rows + matrix * vectors * length;
    init_detail::orthonormalise(orthonormal, vectors, length);
    for (std::int64_t row = 0; row < sizes.out; ++row) {
      for (std::int64_t column = 0; column < sizes.in; ++column) {
        const bool as_rows = sizes.out <= sizes.in;
        weight[(matrix * sizes.out + row) * sizes.in + column] =
            orthonormal[as_rows ? row * length + column : column * length + row];
      }
    }
  });
  return convert(result, dtype);
}

Tensor identity(const Shape& shape, DType dtype) {
  const auto sizes = init_detail::matrix_sizes("identity", shape);
  const Tensor result = zeros(shape, dtype);
  with_float_type("identity", dtype, [&]<class T>() {
    T* const elements = write<T>(result, "identity");
    for (std::int64_t matrix = 0; matrix < sizes.count; ++matrix) {
      for (std::int64_t i = 0; i < std::min(sizes.out, sizes.in); ++i) {
        elements[(matrix * sizes.out + i) * sizes.in + i] = 1;
      }
    }
  });
  return result;
}

}  // namespace lintel::nn
