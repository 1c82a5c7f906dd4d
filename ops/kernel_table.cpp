// The list of kernel tables: the baseline always, and each instruction set that was compiled in.
#include <lintel/core/error.hpp>
#include <lintel/core/isa.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel {

namespace kernels {
namespace baseline {
void fill_tables(Kernels<float>&, Kernels<double>&);
}
namespace avx2 {
void fill_tables(Kernels<float>&, Kernels<double>&);
}
namespace avx512 {
void fill_tables(Kernels<float>&, Kernels<double>&);
}
namespace neon {
void fill_tables(Kernels<float>&, Kernels<double>&);
}
}  // namespace kernels

namespace kernel_table_detail {

struct Tables {
  Kernels<float> float32;
  Kernels<double> float64;

  explicit Tables(void (*fill)(Kernels<float>&, Kernels<double>&)) {
    kernels::baseline::fill_tables(float32, float64);
    fill(float32, float64);
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

}  // namespace kernel_table_detail

template <>
const Kernels<float>& active_kernels<float>() {
  return kernel_table_detail::tables_of(active_isa()).float32;
}

template <>
const Kernels<double>& active_kernels<double>() {
  return kernel_table_detail::tables_of(active_isa()).float64;
}

}  // namespace lintel
