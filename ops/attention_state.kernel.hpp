// The kernel of attention_state beside its matrix products, once per instruction set: no include guard, see
// kernels.isa.hpp.

#define LINTEL_UNROLL _Pragma("GCC unroll 4")

namespace lintel::kernels::LINTEL_ISA {

/// `Registers` columns of S, from `lanes` on: S ← S + φ(k) vᵀ and n = φ(q)ᵀS, in one pass over S.
template <int Registers, class T, class Lanes>
[[gnu::always_inline]] inline void attention_state_columns(const T* phi_q, const T* phi_k, const T* v, T* matrix, T* n,
                                                           std::int64_t features, std::int64_t head_dim, Lanes lanes) {
  constexpr std::int64_t width = vec<T>::width;
  vec<T> value[Registers], sum[Registers];
  LINTEL_UNROLL for (int r = 0; r < Registers; ++r) {
    value[r] = lanes.load(v + r * width);
    sum[r] = vec<T>::zero();
  }
  for (std::int64_t i = 0; i < features; ++i, matrix += head_dim) {
    const vec<T> key(phi_k[i]), query(phi_q[i]);
    LINTEL_UNROLL for (int r = 0; r < Registers; ++r) {
      const vec<T> row = fma(key, value[r], lanes.load(matrix + r * width));
      lanes.store(matrix + r * width, row);
      sum[r] = fma(query, row, sum[r]);
    }
  }
  LINTEL_UNROLL for (int r = 0; r < Registers; ++r) lanes.store(n + r * width, sum[r]);
}

/// One token of one head: S ← S + φ(k) vᵀ, z ← z + φ(k), o = φ(q)ᵀS / (φ(q)·z + epsilon), with S (features, head_dim)
/// and z (features). A divisor that is not 0 stands in for the sum.
template <class T>
void attention_state_step(const T* phi_q, const T* phi_k, const T* v, T* matrix, T* vector, T* o, std::int64_t features,
                          std::int64_t head_dim, T epsilon, T divisor) {
  constexpr std::int64_t width = vec<T>::width;
  const T denominator = epsilon + sum_over<T>(
                                      features, [&](std::int64_t i, auto lanes) __attribute__((always_inline)) {
                                        const vec<T> z = lanes.load(vector + i) + lanes.load(phi_k + i);
                                        lanes.store(vector + i, z);
                                        return lanes.load(phi_q + i) * z;
                                      });
  std::int64_t c = 0;
  for (; c + 4 * width <= head_dim; c += 4 * width) {
    attention_state_columns<4>(phi_q, phi_k, v + c, matrix + c, o + c, features, head_dim, WholeRegister<T>{});
  }
  for (; c + width <= head_dim; c += width) {
    attention_state_columns<1>(phi_q, phi_k, v + c, matrix + c, o + c, features, head_dim, WholeRegister<T>{});
  }
  if (c < head_dim) {
    attention_state_columns<1>(phi_q, phi_k, v + c, matrix + c, o + c, features, head_dim,
                               PartOfRegister<T>{head_dim - c});
  }
  const vec<T> inverse(T(1) / (divisor != T(0) ? divisor : denominator));
  for_each_register<T>(
      head_dim, [&](std::int64_t i, auto lanes)
                    __attribute__((always_inline)) { lanes.store(o + i, lanes.load(o + i) * inverse); });
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_UNROLL
