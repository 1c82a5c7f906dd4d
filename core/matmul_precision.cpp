#include <lintel/core/matmul_precision.hpp>

namespace lintel {
namespace matmul_precision_detail {

thread_local DType precision = DType::float32;

}  // namespace matmul_precision_detail

DType matmul_precision() { return matmul_precision_detail::precision; }

MatmulPrecision::MatmulPrecision(DType type) : outer_(matmul_precision()) {
  if (type != DType::float32 && type != DType::bfloat16) {
    fail("matmul_precision: is float32 or bfloat16, got ", type);
  }
  matmul_precision_detail::precision = type;
}

MatmulPrecision::~MatmulPrecision() { matmul_precision_detail::precision = outer_; }

}  // namespace lintel
