// How the matrix product's kernels lay out their operands, once per instruction set: no include guard, see
// gemm_block.hpp.

#define LINTEL_INLINE [[gnu::always_inline]] inline
#define LINTEL_UNROLL _Pragma("GCC unroll 16")

namespace lintel::kernels::LINTEL_ISA {

/// The tile of C that stays in registers. With a row of B and one number of A it must fit the register file: 32
/// registers with AVX-512 and Advanced SIMD, 16 elsewhere.
template <class T>
struct GemmTile {
#if LINTEL_VECTOR_BYTES == 64 || defined(__aarch64__)
  static constexpr int rows = 8;
  static constexpr int vectors = 3;
#else
  static constexpr int rows = 6;
  static constexpr int vectors = 2;
#endif
  static constexpr int width = vec<T>::width;
  static constexpr int columns = vectors * width;
  static constexpr int padded_rows = (rows + width - 1) / width * width;
};

constexpr int gemm_cache_line = 64;  // bytes

/// The rows of a block cut into panels of equal height or one less, so that no panel is low and runs at a fraction of
/// the speed.
struct GemmRowPanels {
  std::int64_t count;
  std::int64_t height;
  std::int64_t higher;  // so many panels, the first ones, have one row more

  LINTEL_INLINE GemmRowPanels(std::int64_t rows, std::int64_t at_most)
      : count((rows + at_most - 1) / at_most), height(rows / count), higher(rows % count) {}
  LINTEL_INLINE std::int64_t begin(std::int64_t panel) const {
    return panel * height + (panel < higher ? panel : higher);
  }
  LINTEL_INLINE std::int64_t rows(std::int64_t panel) const { return height + (panel < higher ? 1 : 0); }
};

/// The distance between the rows of a copied panel of A: an odd number of cache lines, so that the same column of
/// different rows does not compete for the same place in the cache.
template <class T>
LINTEL_INLINE std::int64_t gemm_copied_stride(std::int64_t depth) {
  constexpr int line = gemm_cache_line / static_cast<int>(sizeof(T));
  return ((depth + line - 1) / line | 1) * line;
}

template <class T>
std::int64_t gemm_a_copy_size(std::int64_t rows, std::int64_t depth, bool transposed) {
  constexpr std::int64_t bytes = GemmTile<T>::padded_rows * static_cast<std::int64_t>(sizeof(T));
  if (!transposed) return bytes * gemm_copied_stride<T>(depth);
  return GemmRowPanels(rows, GemmTile<T>::rows).count * bytes * depth;
}

/// The next register of stored numbers, as they are multiplied; zeros behind the first `lanes`.
template <class Types>
LINTEL_INLINE vec<typename Types::Sum> gemm_load(const typename Types::Stored* source, std::int64_t lanes) {
  using V = vec<typename Types::Sum>;
  if constexpr (Types::widens) {
    return load_bfloat16(source, lanes);
  } else {
    const V numbers = lanes >= V::width ? V::load(source) : V::load_partial(source, lanes);
    if constexpr (Types::rounds) return round_to_bfloat16(numbers);
    return numbers;
  }
}

/// Copies a panel of A that is stored in rows, to rows that are `gemm_copied_stride` apart.
template <class Types>
void gemm_copy_rows(const typename Types::Stored* a, std::int64_t stride, std::int64_t depth, std::int64_t rows,
                    typename Types::Sum* copy) {
  using V = vec<typename Types::Sum>;
  const std::int64_t copied_stride = gemm_copied_stride<typename Types::Sum>(depth);
  for (std::int64_t i = 0; i < rows; ++i, a += stride, copy += copied_stride) {
    std::int64_t p = 0;
    for (; p + V::width <= depth; p += V::width) gemm_load<Types>(a + p, V::width).store(copy + p);
    gemm_load<Types>(a + p, depth - p).store_partial(copy + p, depth - p);
  }
}

/// Copies the panels of A that is stored in columns, each to columns of `padded_rows` elements: of a column all panels
/// at once, so that memory is read in its order. What a panel's columns hold behind its last row is never looked at.
template <class Types>
void gemm_copy_columns(const typename Types::Stored* a, std::int64_t stride, std::int64_t depth, std::int64_t rows,
                       typename Types::Sum* copy) {
  using T = typename Types::Sum;
  using V = vec<T>;
  constexpr int padded = GemmTile<T>::padded_rows;
  const GemmRowPanels panels(rows, GemmTile<T>::rows);
  for (std::int64_t p = 0; p < depth; ++p, a += stride) {
    for (std::int64_t panel = 0; panel < panels.count; ++panel) {
      const std::int64_t begin = panels.begin(panel);
      T* const column = copy + (panel * depth + p) * padded;
      LINTEL_UNROLL for (int i = 0; i < padded; i += V::width) {
        const std::int64_t left = rows - begin - i;
        if (left >= V::width) {
          gemm_load<Types>(a + begin + i, V::width).store(column + i);
        } else if (left > 0) {
          gemm_load<Types>(a + begin + i, left).store(column + i);
        }
      }
    }
  }
}

/// Elements that a packed panel of B has for every p, given the columns from its first to the last of B.
template <class T>
LINTEL_INLINE std::int64_t gemm_panel_width(std::int64_t columns) {
  using Tile = GemmTile<T>;
  return columns >= Tile::columns ? Tile::columns : (columns + Tile::width - 1) / Tile::width * Tile::width;
}

/// Packs `depth` rows of one panel of B.
template <class Types>
LINTEL_INLINE void gemm_pack_rows(const typename Types::Stored* b, std::int64_t stride, std::int64_t depth,
                                  std::int64_t columns, typename Types::Sum* panel) {
  using V = vec<typename Types::Sum>;
  using Tile = GemmTile<typename Types::Sum>;
  if (columns >= Tile::columns) {
    for (std::int64_t p = 0; p < depth; ++p, b += stride, panel += Tile::columns) {
      LINTEL_UNROLL for (int j = 0; j < Tile::columns; j += V::width) {
        gemm_load<Types>(b + j, V::width).store(panel + j);
      }
    }
    return;
  }
  const std::int64_t width = gemm_panel_width<typename Types::Sum>(columns);
  for (std::int64_t p = 0; p < depth; ++p, b += stride, panel += width) {
    for (std::int64_t j = 0; j < columns; j += V::width) gemm_load<Types>(b + j, columns - j).store(panel + j);
  }
}

/// Eight rows at a time: row by row, the panels' ends would evict each other, since they lie a power of two apart;
/// panel by panel, memory would be read in small pieces.
template <class Types>
void gemm_pack_b(const typename Types::Stored* b, std::int64_t stride, std::int64_t depth, std::int64_t columns,
                 void* packed) {
  using T = typename Types::Sum;
  constexpr std::int64_t rows_at_once = 8;
  for (std::int64_t p = 0; p < depth; p += rows_at_once) {
    const std::int64_t rows = depth - p < rows_at_once ? depth - p : rows_at_once;
    for (std::int64_t j = 0; j < columns; j += GemmTile<T>::columns) {
      gemm_pack_rows<Types>(b + p * stride + j, stride, rows, columns - j,
                            static_cast<T*>(packed) + j * depth + p * gemm_panel_width<T>(columns - j));
    }
  }
}

/// The lower or upper halves of a and b, lane beside lane: a0 b0 a1 b1 ...
template <bool Upper, int Width, class Register>
LINTEL_INLINE Register gemm_interleave(Register a, Register b) {
  constexpr int i = Upper ? Width / 2 : 0;
  constexpr int j = Width + i;
  if constexpr (Width == 16) {
    return __builtin_shufflevector(a, b, i, j, i + 1, j + 1, i + 2, j + 2, i + 3, j + 3, i + 4, j + 4, i + 5, j + 5,
                                   i + 6, j + 6, i + 7, j + 7);
  } else if constexpr (Width == 8) {
    return __builtin_shufflevector(a, b, i, j, i + 1, j + 1, i + 2, j + 2, i + 3, j + 3);
  } else if constexpr (Width == 4) {
    return __builtin_shufflevector(a, b, i, j, i + 1, j + 1);
  } else {
    static_assert(Width == 2);
    return __builtin_shufflevector(a, b, i, j);
  }
}

/// Transposes a square of `width` registers. Interleaving register i with register i + width / 2 moves the highest bit
/// of the row number below the lane number; after log2(width) rounds row and lane number have changed places.
template <class T>
LINTEL_INLINE void gemm_transpose(typename vec<T>::register_type (&rows)[vec<T>::width]) {
  constexpr int width = vec<T>::width;
  LINTEL_UNROLL for (int round = 1; round < width; round *= 2) {
    typename vec<T>::register_type mixed[width];
    LINTEL_UNROLL for (int i = 0; i < width / 2; ++i) {
      mixed[2 * i] = gemm_interleave<false, width>(rows[i], rows[i + width / 2]);
      mixed[2 * i + 1] = gemm_interleave<true, width>(rows[i], rows[i + width / 2]);
    }
    LINTEL_UNROLL for (int i = 0; i < width; ++i) rows[i] = mixed[i];
  }
}

/// Packs one vector's columns of a transposed B into a panel.
template <class Types>
void gemm_pack_transposed_vector(const typename Types::Stored* b, std::int64_t stride, std::int64_t depth,
                                 std::int64_t columns, typename Types::Sum* panel, std::int64_t panel_width) {
  using V = vec<typename Types::Sum>;
  constexpr int width = V::width;
  typename V::register_type rows[width];
  for (std::int64_t p = 0; p < depth; p += width) {
    const std::int64_t steps = depth - p < width ? depth - p : width;
    if (columns >= width && steps == width) {
      LINTEL_UNROLL for (int j = 0; j < width; ++j) rows[j] = gemm_load<Types>(b + j * stride + p, width).lanes();
    } else {
      LINTEL_UNROLL for (int j = 0; j < width; ++j) {
        rows[j] = j < columns ? gemm_load<Types>(b + j * stride + p, steps).lanes() : V::zero().lanes();
      }
    }
    gemm_transpose<typename Types::Sum>(rows);
    for (std::int64_t i = 0; i < steps; ++i) {
      __builtin_memcpy(panel + (p + i) * panel_width, &rows[i], sizeof rows[i]);
    }
  }
}

template <class Types>
void gemm_pack_b_transposed(const typename Types::Stored* b, std::int64_t stride, std::int64_t depth,
                            std::int64_t columns, void* packed) {
  using T = typename Types::Sum;
  using Tile = GemmTile<T>;
  for (std::int64_t panel = 0; panel < columns; panel += Tile::columns) {
    const std::int64_t panel_width = gemm_panel_width<T>(columns - panel);
    for (std::int64_t j = 0; j < panel_width; j += Tile::width) {
      gemm_pack_transposed_vector<Types>(b + (panel + j) * stride, stride, depth, columns - panel - j,
                                         static_cast<T*>(packed) + panel * depth + j, panel_width);
    }
  }
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
#undef LINTEL_UNROLL
