// Operands of a matrix product as pairs of bfloat16, once per bfloat16 unit: no include guard, see gemm_block.hpp.
//
// The instructions that multiply bfloat16 numbers add the products of two neighbours along the inner dimension. A pair
// of neighbours is one element of 32 bits, so a row of B is packed as a row of pairs, and a packed operand looks like
// one of float32 with half the depth. A lies in rows of pairs, also where it is stored in columns.

#define LINTEL_INLINE [[gnu::always_inline]] inline
#define LINTEL_UNROLL _Pragma("GCC unroll 16")

namespace lintel::kernels::LINTEL_ISA {

/// (p, j) and (p + 1, j) of B, or (i, p) and (i, p + 1) of A: the first in the lower half.
struct GemmPair {
  std::uint32_t bits;
};

using pair_register = vec<float>::bits_register;
constexpr int pair_lanes = vec<float>::width;
/// Numbers of a register of pairs; operands are filled up with zeros to so many steps of the inner dimension.
constexpr int pair_depth = 2 * pair_lanes;

/// Pairs from row to row of a copied A: an odd number of cache lines, as `gemm_copied_stride`.
LINTEL_INLINE std::int64_t gemm_pair_stride(std::int64_t depth) {
  return ((depth + pair_depth - 1) / pair_depth | 1) * pair_lanes;
}

LINTEL_INLINE pair_register round_pairs(vec<float> lower, vec<float> upper) {
  return (pair_register)_mm512_cvtne2ps_pbh((__m512)upper.lanes(), (__m512)lower.lanes());
}

LINTEL_INLINE vec<float> load_lanes(const float* source, std::int64_t count) {
  if (count >= pair_lanes) return vec<float>::load(source);
  return vec<float>::load_partial(source, count < 0 ? 0 : count);
}

/// A register of numbers that follow each other, the first `count` of them and zeros.
LINTEL_INLINE pair_register load_pairs(const float* source, std::int64_t count) {
  return round_pairs(load_lanes(source, count), load_lanes(source + pair_lanes, count - pair_lanes));
}
LINTEL_INLINE pair_register load_pairs(const bfloat16* source, std::int64_t count) {
  const auto mask = static_cast<__mmask32>(count >= pair_depth ? ~0u : (1u << count) - 1u);
  return (pair_register)_mm512_maskz_loadu_epi16(mask, source);
}

/// Pairs of two rows: lane j holds (first[j], second[j]). `steps` is the number of rows that there are, up to 2.
LINTEL_INLINE pair_register zip_rows(const float* first, std::int64_t stride, std::int64_t count, std::int64_t steps) {
  const pair_register halves =
      round_pairs(load_lanes(first, steps > 0 ? count : 0), load_lanes(first + stride, steps > 1 ? count : 0));
  // Number j of the first row beside number j of the second, which lies 16 behind it.
  const __m512i order =
      _mm512_setr_epi32(0x100000, 0x110001, 0x120002, 0x130003, 0x140004, 0x150005, 0x160006, 0x170007, 0x180008,
                        0x190009, 0x1a000a, 0x1b000b, 0x1c000c, 0x1d000d, 0x1e000e, 0x1f000f);
  return (pair_register)_mm512_permutexvar_epi16(order, (__m512i)halves);
}
LINTEL_INLINE pair_register zip_rows(const bfloat16* first, std::int64_t stride, std::int64_t count,
                                     std::int64_t steps) {
  const pair_register lower = load_bfloat16(first, steps > 0 ? count : 0).bits();
  const pair_register upper = load_bfloat16(first + stride, steps > 1 ? count : 0).bits();
  return lower >> 16 | upper;
}

LINTEL_INLINE void store_pairs(GemmPair* target, pair_register pairs) {
  __builtin_memcpy(target, &pairs, sizeof pairs);
}

LINTEL_INLINE void transpose_pairs(pair_register (&rows)[pair_lanes]) {
  using lanes = vec<float>::register_type;
  lanes numbers[pair_lanes];
  LINTEL_UNROLL for (int i = 0; i < pair_lanes; ++i) numbers[i] = (lanes)rows[i];
  gemm_transpose<float>(numbers);
  LINTEL_UNROLL for (int i = 0; i < pair_lanes; ++i) rows[i] = (pair_register)numbers[i];
}

/// Copies A that is stored in rows.
template <class Stored>
void gemm_copy_row_pairs(const Stored* a, std::int64_t stride, std::int64_t depth, std::int64_t rows, GemmPair* copy) {
  const std::int64_t copied_stride = gemm_pair_stride(depth);
  for (std::int64_t i = 0; i < rows; ++i, a += stride, copy += copied_stride) {
    std::int64_t p = 0;
    for (; p + pair_depth <= depth; p += pair_depth) store_pairs(copy + p / 2, load_pairs(a + p, pair_depth));
    if (p < depth) store_pairs(copy + p / 2, load_pairs(a + p, depth - p));
  }
}

/// Sixteen rows of `pair_depth` numbers of a copied A, from A that is stored in columns.
template <class Stored>
LINTEL_INLINE void gemm_copy_column_square(const Stored* a, std::int64_t stride, std::int64_t steps, std::int64_t rows,
                                           GemmPair* copy, std::int64_t copied_stride) {
  pair_register pairs[pair_lanes];
  if (steps >= pair_depth && rows >= pair_lanes) {
    LINTEL_UNROLL for (int q = 0; q < pair_lanes; ++q) {
      pairs[q] = zip_rows(a + 2 * q * stride, stride, pair_lanes, 2);
    }
  } else {
    for (int q = 0; q < pair_lanes; ++q) pairs[q] = zip_rows(a + 2 * q * stride, stride, rows, steps - 2 * q);
  }
  transpose_pairs(pairs);
  for (std::int64_t i = 0; i < pair_lanes && i < rows; ++i) store_pairs(copy + i * copied_stride, pairs[i]);
}

/// Copies A that is stored in columns. Rows change fastest, so that memory is read in its order.
template <class Stored>
void gemm_copy_column_pairs(const Stored* a, std::int64_t stride, std::int64_t depth, std::int64_t rows,
                            GemmPair* copy) {
  const std::int64_t copied_stride = gemm_pair_stride(depth);
  for (std::int64_t p = 0; p < depth; p += pair_depth) {
    for (std::int64_t i = 0; i < rows; i += pair_lanes) {
      gemm_copy_column_square(a + p * stride + i, stride, depth - p, rows - i, copy + i * copied_stride + p / 2,
                              copied_stride);
    }
  }
}

template <int TileRows>
std::int64_t gemm_pair_copy_size(std::int64_t rows, std::int64_t depth, bool) {
  return (rows + TileRows - 1) / TileRows * TileRows * gemm_pair_stride(depth) *
         static_cast<std::int64_t>(sizeof(GemmPair));
}

/// Copies A of a block unless that was done.
template <class Types>
void gemm_copy_pairs(const GemmBlock<Types>& block) {
  if (block.a_copied) return;
  auto* const copy = static_cast<GemmPair*>(block.a_copy);
  if (block.a_transposed) {
    gemm_copy_column_pairs(block.a, block.a_stride, block.depth, block.rows, copy);
  } else {
    gemm_copy_row_pairs(block.a, block.a_stride, block.depth, block.rows, copy);
  }
}

/// Elements that a packed panel of B has for every pair, given the columns from its first to the last of B.
template <int TileColumns>
LINTEL_INLINE std::int64_t gemm_pair_panel(std::int64_t columns) {
  return columns >= TileColumns ? TileColumns : (columns + pair_lanes - 1) / pair_lanes * pair_lanes;
}

/// Packs B that is stored in rows, eight rows of pairs at a time as `gemm_pack_b` does. The depth is filled up to a
/// multiple of `PackedDepth`.
template <class Stored, int TileColumns, int PackedDepth>
void gemm_pack_pairs(const Stored* b, std::int64_t stride, std::int64_t depth, std::int64_t columns, void* packed) {
  constexpr std::int64_t rows_at_once = 16;
  const std::int64_t whole = (depth + PackedDepth - 1) / PackedDepth * PackedDepth;
  for (std::int64_t begin = 0; begin < whole; begin += rows_at_once) {
    const std::int64_t end = begin + rows_at_once < whole ? begin + rows_at_once : whole;
    for (std::int64_t j = 0; j < columns; j += TileColumns) {
      const std::int64_t width = gemm_pair_panel<TileColumns>(columns - j);
      GemmPair* panel = static_cast<GemmPair*>(packed) + j * (whole / 2) + begin / 2 * width;
      for (std::int64_t p = begin; p < end; p += 2, panel += width) {
        const Stored* const row = b + p * stride + j;
        for (std::int64_t v = 0; v < width; v += pair_lanes) {
          store_pairs(panel + v, zip_rows(row + v, stride, columns - j - v, depth - p));
        }
      }
    }
  }
}

/// Packs B that is stored as its transpose, in rows of neighbours along the inner dimension.
template <class Stored, int TileColumns, int PackedDepth>
void gemm_pack_pairs_transposed(const Stored* b, std::int64_t stride, std::int64_t depth, std::int64_t columns,
                                void* packed) {
  const std::int64_t whole = (depth + PackedDepth - 1) / PackedDepth * PackedDepth;
  pair_register pairs[pair_lanes];
  for (std::int64_t j = 0; j < columns; j += pair_lanes) {
    const std::int64_t first = j / TileColumns * TileColumns;
    const std::int64_t width = gemm_pair_panel<TileColumns>(columns - first);
    GemmPair* panel = static_cast<GemmPair*>(packed) + first * (whole / 2) + (j - first);
    for (std::int64_t p = 0; p < depth; p += pair_depth) {
      const std::int64_t steps = depth - p < pair_depth ? depth - p : pair_depth;
      for (int column = 0; column < pair_lanes; ++column) {
        pairs[column] = j + column < columns ? load_pairs(b + (j + column) * stride + p, steps) : pair_register{};
      }
      transpose_pairs(pairs);
      const std::int64_t left = (whole - p) / 2;
      for (std::int64_t q = 0; q < pair_lanes && q < left; ++q) store_pairs(panel + (p / 2 + q) * width, pairs[q]);
    }
  }
}

/// What both bfloat16 units have in common.
template <class Types, int TileRows, int TileColumns, int PackedDepth>
void fill_pairs(GemmKernels<Types>& table) {
  using Stored = typename Types::Stored;
  table.tile_rows = TileRows;
  table.tile_columns = TileColumns;
  table.vector_columns = pair_lanes;
  table.packed_depth = PackedDepth;
  table.packed_bytes = sizeof(bfloat16);
  table.a_copy_size = gemm_pair_copy_size<TileRows>;
  table.dots = nullptr;
  table.pack_b = gemm_pack_pairs<Stored, TileColumns, PackedDepth>;
  table.pack_b_transposed = gemm_pack_pairs_transposed<Stored, TileColumns, PackedDepth>;
  table.sum_partials = gemm_sum_partials<float>;
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
#undef LINTEL_UNROLL
