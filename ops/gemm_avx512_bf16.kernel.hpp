// Matrix products of bfloat16 by AVX512-BF16: the tile of ops/gemm.kernel.hpp with pairs for numbers. No include guard.

#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::kernels::LINTEL_ISA {

template <>
struct GemmFactor<GemmPair> {
  using Sum = float;
  LINTEL_INLINE static vec<float> spread(GemmPair x) { return vec<float>::from_bits(vec<float>::all_bits(x.bits)); }
  LINTEL_INLINE static vec<float> load(const GemmPair* x) {
    pair_register pairs;
    __builtin_memcpy(&pairs, x, sizeof pairs);
    return vec<float>::from_bits(pairs);
  }
  /// sum + a0·b0 + a1·b1 for the pairs of each lane.
  LINTEL_INLINE static vec<float> multiply_add(vec<float> a, vec<float> b, vec<float> sum) {
    using lanes = vec<float>::register_type;
    return vec<float>((lanes)_mm512_dpbf16_ps((__m512)sum.lanes(), (__m512bh)a.lanes(), (__m512bh)b.lanes()));
  }
};

/// As `gemm_multiply`, with A copied as a whole.
template <class Types>
void gemm_multiply_pairs(const GemmBlock<Types>& block) {
  using Tile = GemmTile<float>;
  if (block.rows == 0) return;
  gemm_copy_pairs(block);
  const std::int64_t depth = (block.depth + 1) / 2;  // in pairs
  const GemmRowPanels panels(block.rows, Tile::rows);
  const std::int64_t tiles = (block.columns + Tile::columns - 1) / Tile::columns;
  GemmFetch fetch = gemm_fetch(block.next[0], block.next[1], panels.count * tiles * depth);
  GemmTileTask<GemmPair> task = gemm_task_of<GemmPair>(block, depth, fetch);
  task.a_stride = gemm_pair_stride(block.depth);
  for (std::int64_t panel = 0; panel < panels.count; ++panel) {
    const std::int64_t i = panels.begin(panel), rows = panels.rows(panel);
    task.a = static_cast<const GemmPair*>(block.a_copy) + i * task.a_stride;
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const std::int64_t j = tile * Tile::columns;
      gemm_take_columns(block, i, rows, j, task);
      task.b = static_cast<const GemmPair*>(block.b_packed) + j * depth;
      task.b_stride = gemm_panel_width<float>(task.columns);
      gemm_tile_as_wide<GemmPair, false>(rows, task);
    }
  }
}

inline std::int64_t gemm_pair_multiply_adds(std::int64_t steps, float factor, float* result) {
  using V = vec<float>;
  constexpr int chains = 24;  // enough to hide their latency, few enough for the registers
  V sum[chains];
  for (int i = 0; i < chains; ++i) sum[i] = V(static_cast<float>(i));
  const V pairs = V::from_bits(round_pairs(V(factor), V(factor)));
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < chains; ++i) sum[i] = GemmFactor<GemmPair>::multiply_add(pairs, pairs, sum[i]);
  }
  for (int i = 1; i < chains; ++i) sum[0] += sum[i];
  *result = reduce_add(sum[0]);
  return steps * chains * pair_depth;
}

template <class Types>
void fill_avx512_bf16(GemmKernels<Types>& table) {
  fill_pairs<Types, GemmTile<float>::rows, GemmTile<float>::columns, 2>(table);
  table.multiply = gemm_multiply_pairs<Types>;
  table.multiply_adds = gemm_pair_multiply_adds;
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
