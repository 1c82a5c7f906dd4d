// The list of kernel tables: the baseline always, and each instruction set that was compiled in.
#include <lintel/core/bfloat16_unit.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/isa.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel {

namespace kernels {
namespace baseline {
void fill_tables(Kernels<float>&, Kernels<double>&, Bfloat16Products&);
}
namespace avx2 {
void fill_tables(Kernels<float>&, Kernels<double>&, Bfloat16Products&);
}
namespace avx512 {
void fill_tables(Kernels<float>&, Kernels<double>&, Bfloat16Products&);
}
namespace neon {
void fill_tables(Kernels<float>&, Kernels<double>&, Bfloat16Products&);
}
namespace avx512_bf16 {
void fill_products(Bfloat16Products&);
}
namespace amx_bf16 {
void fill_products(Bfloat16Products&);
}
}  // namespace kernels

namespace kernel_table_detail {

struct Tables {
  Kernels<float> float32;
  Kernels<double> float64;
  Bfloat16Products bfloat16;

  explicit Tables(void (*fill)(Kernels<float>&, Kernels<double>&, Bfloat16Products&)) {
    kernels::baseline::fill_tables(float32, float64, bfloat16);
    fill(float32, float64, bfloat16);
  }
};

/// The tables of one set. Never destroyed, so that a static object may compute after `main`.
const Tables& tables_of(Isa isa) {
  switch (isa) {
#ifdef LINTEL_HAVE_AVX2
    case Isa::avx2: {
      static const Tables& tables = *new Tables(kernels::avx2::fill_tables);
      return tables;
    }
#endif
#ifdef LINTEL_HAVE_AVX512
    case Isa::avx512: {
      static const Tables& tables = *new Tables(kernels::avx512::fill_tables);
      return tables;
    }
#endif
#ifdef LINTEL_HAVE_NEON
    case Isa::neon: {
      static const Tables& tables = *new Tables(kernels::neon::fill_tables);
      return tables;
    }
#endif
    default: {
      static const Tables& tables = *new Tables(kernels::baseline::fill_tables);
      return tables;
    }
  }
}

[[maybe_unused]] const Bfloat16Products& new_products(void (*fill)(Bfloat16Products&)) {
  auto& products = *new Bfloat16Products;
  fill(products);
  return products;
}

}  // namespace kernel_table_detail

template <>
const Kernels<float>& active_kernels<float>() {
  return kernel_table_detail::tables_of(active_isa()).float32;
}

template <>
const Kernels<double>& active_kernels<double>() {
  return kernel_table_detail::tables_of(active_isa()).float64;
}

const Bfloat16Products& active_bfloat16_products() {
  switch (active_bfloat16_unit()) {
#ifdef LINTEL_HAVE_AVX512_BF16
    case Bfloat16Unit::avx512_bf16: {
      static const Bfloat16Products& products = kernel_table_detail::new_products(kernels::avx512_bf16::fill_products);
      return products;
    }
#endif
#ifdef LINTEL_HAVE_AMX_BF16
    case Bfloat16Unit::amx_bf16: {
      static const Bfloat16Products& products = kernel_table_detail::new_products(kernels::amx_bf16::fill_products);
      return products;
    }
#endif
    default:
      return kernel_table_detail::tables_of(active_isa()).bfloat16;
  }
}

}  // namespace lintel
