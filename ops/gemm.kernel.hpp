// The kernels of the matrix product, once per instruction set: no include guard, see kernels.isa.hpp and
// gemm_block.hpp.
//
// A tile of C stays in registers while the inner dimension runs. A step loads one row of B, spreads one number of A
// after the other over a register, and does rows * vectors multiply-adds. A is read where it lies or from a copy, in
// rows or in columns: spreading needs no neighbours, so A is never transposed.
#include <lintel/ops/gemm_dots.kernel.hpp>
#include <lintel/ops/gemm_fetch.kernel.hpp>
#include <lintel/ops/gemm_pack.kernel.hpp>

#define LINTEL_INLINE [[gnu::always_inline]] inline
// Every loop over a tile must unroll completely, or the tile does not stay in registers.
#define LINTEL_UNROLL _Pragma("GCC unroll 16")

namespace lintel::kernels::LINTEL_ISA {

/// What lies in one element of the operands: a number, T, or what another file of kernels packs there.
template <class T>
struct GemmFactor {
  using Sum = T;
  LINTEL_INLINE static vec<T> spread(T x) { return vec<T>(x); }
  LINTEL_INLINE static vec<T> load(const T* x) { return vec<T>::load(x); }
  LINTEL_INLINE static vec<T> multiply_add(vec<T> a, vec<T> b, vec<T> sum) { return fma(a, b, sum); }
};
template <class Factor>
using gemm_sum = typename GemmFactor<Factor>::Sum;

/// One tile: the part of a block that starts at these elements.
template <class Factor>
struct GemmTileTask {
  using Sum = gemm_sum<Factor>;
  std::int64_t columns;
  std::int64_t depth;
  Sum alpha;
  const Factor* a;
  std::int64_t a_stride;
  const Factor* b;
  std::int64_t b_stride;
  Sum* c;
  std::int64_t c_stride;
  const Sum* addend;
  std::int64_t addend_stride;
  const Sum* next_c;  // the tile after this one
  GemmFetch* fetch;
};

/// Stores a tile that is wider than what is left of C, from memory, with nothing unrolled.
template <class Factor>
[[gnu::noinline]] void gemm_store_edge(const GemmTileTask<Factor>& task, std::int64_t rows,
                                       const gemm_sum<Factor>* tile, std::int64_t tile_stride) {
  using V = vec<gemm_sum<Factor>>;
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < task.columns; j += V::width) {
      const std::int64_t lanes = task.columns - j < V::width ? task.columns - j : V::width;
      V sum = V(task.alpha) * V::load(tile + i * tile_stride + j);
      if (task.addend) sum += V::load_partial(task.addend + i * task.addend_stride + j, lanes);
      sum.store_partial(task.c + i * task.c_stride + j, lanes);
    }
  }
}

/// Stores `finished(i, v, sum)` of each register of a tile.
template <class Factor, int Rows, int Vectors, class Finished>
LINTEL_INLINE void gemm_store_each(const GemmTileTask<Factor>& task, vec<gemm_sum<Factor>> (&sum)[Rows][Vectors],
                                   Finished finished) {
  using V = vec<gemm_sum<Factor>>;
  LINTEL_UNROLL for (int i = 0; i < Rows; ++i) {
    LINTEL_UNROLL for (int v = 0; v < Vectors; ++v) {
      finished(i, v, sum[i][v]).store(task.c + i * task.c_stride + v * V::width);
    }
  }
}

/// Stores a tile from its registers. What an epilogue does to the elements of C belongs here and in `gemm_store_edge`.
/// A product with 1 would be worth a step of the inner dimension, in tiles that may have no more than 64.
template <class Factor, int Rows, int Vectors>
LINTEL_INLINE void gemm_store(const GemmTileTask<Factor>& task, vec<gemm_sum<Factor>> (&sum)[Rows][Vectors]) {
  using V = vec<gemm_sum<Factor>>;
  if (task.columns < Vectors * V::width) {
    gemm_sum<Factor> tile[Rows * Vectors * V::width];
    LINTEL_UNROLL for (int i = 0; i < Rows; ++i) {
      LINTEL_UNROLL for (int v = 0; v < Vectors; ++v) sum[i][v].store(tile + (i * Vectors + v) * V::width);
    }
    gemm_store_edge(task, Rows, tile, Vectors * V::width);
    return;
  }
  const V alpha(task.alpha);
  const auto addend = [&](int i, int v) __attribute__((always_inline)) {
    return V::load(task.addend + i * task.addend_stride + v * V::width);
  };
  if (task.addend && task.alpha == 1) {
    gemm_store_each(
        task, sum, [&](int i, int v, V x) __attribute__((always_inline)) { return x + addend(i, v); });
  } else if (task.addend) {
    gemm_store_each(
        task, sum, [&](int i, int v, V x) __attribute__((always_inline)) { return alpha * x + addend(i, v); });
  } else if (task.alpha == 1) {
    gemm_store_each(
        task, sum, [](int, int, V x) __attribute__((always_inline)) { return x; });
  } else {
    gemm_store_each(
        task, sum, [&](int, int, V x) __attribute__((always_inline)) { return alpha * x; });
  }
}

/// How many steps of the inner dimension ahead the rows of a packed B are asked for where a register is a cache line:
/// they come from the second-level cache, whose latency the core cannot always hide by looking ahead. Smaller registers
/// take a line apart more slowly, the hardware's own prefetching keeps up, and an instruction a step is what counts
/// where another thread of the machine has half of the core's.
constexpr std::int64_t gemm_prefetched_steps = 8;

/// Where the rows of a panel of A are: x86 addresses the three rows behind one without another pointer.
template <class T, int Rows>
struct GemmPanelRows {
  const T* every_fourth[(Rows + 3) / 4];
  std::int64_t stride;

  LINTEL_INLINE GemmPanelRows(const T* a, std::int64_t a_stride) : stride(a_stride) {
    LINTEL_UNROLL for (int i = 0; i < (Rows + 3) / 4; ++i) every_fourth[i] = a + 4 * i * stride;
  }
  LINTEL_INLINE T at(int row, std::int64_t column) const { return every_fourth[row / 4][(row % 4) * stride + column]; }
};

/// Step p of the inner dimension: loads a row of B and spreads one number of A after the other.
template <class Factor, int Rows, int Vectors, bool Transposed>
LINTEL_INLINE void gemm_step(const GemmPanelRows<Factor, Rows>& rows, const Factor* a, std::int64_t p, const Factor* b,
                             vec<gemm_sum<Factor>> (&sum)[Rows][Vectors]) {
  using V = vec<gemm_sum<Factor>>;
  using F = GemmFactor<Factor>;
  V row[Vectors];
  LINTEL_UNROLL for (int v = 0; v < Vectors; ++v) {
    row[v] = F::load(b + v * V::width);
    if constexpr (sizeof(V) == gemm_cache_line)
      __builtin_prefetch(b + (gemm_prefetched_steps * Vectors + v) * V::width);
  }
  LINTEL_UNROLL for (int i = 0; i < Rows; ++i) {
    const V spread = F::spread(Transposed ? a[i] : rows.at(i, p));
    LINTEL_UNROLL for (int v = 0; v < Vectors; ++v) sum[i][v] = F::multiply_add(spread, row[v], sum[i][v]);
  }
}

/// Asks for a row of the tile of C after this one.
template <class Factor, int Vectors>
LINTEL_INLINE void gemm_fetch_c(const GemmTileTask<Factor>& task, int row) {
  using V = vec<gemm_sum<Factor>>;
  LINTEL_UNROLL for (int v = 0; v < Vectors; ++v) {
    if (v * sizeof(V) % gemm_cache_line == 0) {
      __builtin_prefetch(task.next_c + row * task.c_stride + v * V::width, 1);
    }
  }
}

/// Computes one tile. (i, p) of A is a[p * a_stride + i] with `Transposed`, else a[i * a_stride + p].
template <class Factor, int Rows, int Vectors, bool Transposed>
[[gnu::noinline]] void gemm_tile(const GemmTileTask<Factor>& task) {
  using V = vec<gemm_sum<Factor>>;
  V sum[Rows][Vectors];
  LINTEL_UNROLL for (int i = 0; i < Rows; ++i) {
    LINTEL_UNROLL for (int v = 0; v < Vectors; ++v) sum[i][v] = V::zero();
  }
  const GemmPanelRows<Factor, Rows> rows(task.a, task.a_stride);
  const std::int64_t b_stride = task.b_stride, a_step = Transposed ? task.a_stride : 0;
  const Factor* a = task.a;
  const Factor* b = task.b;
  const char* fetched = task.fetch->position;
  const std::int64_t turns = task.depth / gemm_steps_of_turn;
  std::int64_t turn = 0;
  const auto run_until = [&](std::int64_t end) __attribute__((always_inline)) {
    for (; turn < end; ++turn) {
      __builtin_prefetch(fetched, 0, 2);
      fetched += task.fetch->step;
      if (fetched >= task.fetch->end) fetched = gemm_fetch_next_row(*task.fetch);
      LINTEL_UNROLL for (int step = 0; step < gemm_steps_of_turn; ++step, a += a_step, b += b_stride) {
        gemm_step<Factor, Rows, Vectors, Transposed>(rows, a, gemm_steps_of_turn * turn + step, b, sum);
      }
    }
  };
  // One row of the next tile of C after the other: asked for all at once, they would keep B's rows waiting. Not for a
  // few steps: beginning a loop costs as much as two of them.
  if (task.depth >= 16 * Rows) {
    for (int row = 0; row + 1 < Rows; ++row) {
      gemm_fetch_c<Factor, Vectors>(task, row);
      run_until(turn + turns / Rows);
    }
    gemm_fetch_c<Factor, Vectors>(task, Rows - 1);
  } else {
    LINTEL_UNROLL for (int row = 0; row < Rows; ++row) gemm_fetch_c<Factor, Vectors>(task, row);
  }
  run_until(turns);
  for (std::int64_t p = gemm_steps_of_turn * turns; p < task.depth; ++p, a += a_step, b += b_stride) {
    gemm_step<Factor, Rows, Vectors, Transposed>(rows, a, p, b, sum);
  }
  task.fetch->position = fetched;
  gemm_store(task, sum);
}

/// Computes a tile of `rows` rows, 1 <= rows <= Rows.
template <class Factor, int Vectors, bool Transposed, int Rows = GemmTile<gemm_sum<Factor>>::rows>
void gemm_tile_of(std::int64_t rows, const GemmTileTask<Factor>& task) {
  if constexpr (Rows > 1) {
    if (rows < Rows) return gemm_tile_of<Factor, Vectors, Transposed, Rows - 1>(rows, task);
  }
  gemm_tile<Factor, Rows, Vectors, Transposed>(task);
}

/// The same for the vectors that the task's columns need.
template <class Factor, bool Transposed, int Vectors = GemmTile<gemm_sum<Factor>>::vectors>
void gemm_tile_as_wide(std::int64_t rows, const GemmTileTask<Factor>& task) {
  if constexpr (Vectors > 1) {
    if (task.columns <= (Vectors - 1) * vec<gemm_sum<Factor>>::width) {
      return gemm_tile_as_wide<Factor, Transposed, Vectors - 1>(rows, task);
    }
  }
  gemm_tile_of<Factor, Vectors, Transposed>(rows, task);
}

/// Sets the task's A to the panel of `rows` rows at `a`, or to a copy of it.
template <class Types>
LINTEL_INLINE void gemm_take_panel(const GemmBlock<Types>& block, std::int64_t panel, const typename Types::Stored* a,
                                   std::int64_t rows, GemmTileTask<typename Types::Sum>& task) {
  using T = typename Types::Sum;
  if constexpr (!Types::converts) {
    task.a = a;
    task.a_stride = block.a_stride;
    if (!block.a_copy) return;
  }
  T* const copy = static_cast<T*>(block.a_copy);
  task.a = copy;
  if (block.a_transposed) {
    task.a += panel * block.depth * GemmTile<T>::padded_rows;
    task.a_stride = GemmTile<T>::padded_rows;
  } else {
    gemm_copy_rows<Types>(a, block.a_stride, block.depth, rows, copy);
    task.a_stride = gemm_copied_stride<T>(block.depth);
  }
}

/// Sets the part of a task that depends on the columns from j on.
template <class Types, class Factor>
LINTEL_INLINE void gemm_take_columns(const GemmBlock<Types>& block, std::int64_t i, std::int64_t rows, std::int64_t j,
                                     GemmTileTask<Factor>& task) {
  constexpr int tile_columns = GemmTile<gemm_sum<Factor>>::columns;
  const std::int64_t columns_left = block.columns - j;
  task.columns = columns_left < tile_columns ? columns_left : tile_columns;
  task.c = block.c + i * block.c_stride + j;
  task.next_c = columns_left > tile_columns ? task.c + tile_columns : block.c + (i + rows) * block.c_stride;
  task.addend = block.addend ? block.addend + i * block.addend_stride + j : nullptr;
}

/// A task with all that is the same for every tile of a block.
template <class Factor, class Types>
GemmTileTask<Factor> gemm_task_of(const GemmBlock<Types>& block, std::int64_t depth, GemmFetch& fetch) {
  GemmTileTask<Factor> task{};
  task.depth = depth;
  task.alpha = block.alpha;
  task.c_stride = block.c_stride;
  task.addend_stride = block.addend_stride;
  task.fetch = &fetch;
  return task;
}

/// Row panels outside, column panels inside: a panel of A stays in the fastest cache while the panels of B stream past.
/// While one row panel is computed the next is fetched, or where A is copied as a whole, the next block.
template <class Types>
void gemm_multiply(const GemmBlock<Types>& block) {
  using T = typename Types::Sum;
  using Tile = GemmTile<T>;
  if (block.rows == 0) return;
  const GemmRowPanels panels(block.rows, Tile::rows);
  if (block.a_transposed && block.a_copy && !block.a_copied) {
    gemm_copy_columns<Types>(block.a, block.a_stride, block.depth, block.rows, static_cast<T*>(block.a_copy));
  }
  const std::int64_t row_step = block.a_transposed ? 1 : block.a_stride;
  const std::int64_t tiles = (block.columns + Tile::columns - 1) / Tile::columns;
  GemmFetch fetch;
  if (block.a_transposed) fetch = gemm_fetch(block.next[0], block.next[1], panels.count * tiles * block.depth);
  GemmTileTask<T> task = gemm_task_of<T>(block, block.depth, fetch);
  for (std::int64_t panel = 0; panel < panels.count; ++panel) {
    const std::int64_t i = panels.begin(panel);
    const std::int64_t rows = panels.rows(panel);
    const std::int64_t next_rows = panel + 1 < panels.count ? panels.rows(panel + 1) : 0;
    const typename Types::Stored* a = block.a + i * row_step;
    if (!block.a_transposed) {
      fetch = gemm_fetch<typename Types::Stored>({a + rows * row_step, row_step, block.depth, next_rows}, {},
                                                 tiles * block.depth);
    }
    gemm_take_panel(block, panel, a, rows, task);
    for (std::int64_t tile = 0; tile < tiles; ++tile) {
      const std::int64_t j = tile * Tile::columns;
      gemm_take_columns(block, i, rows, j, task);
      task.b = static_cast<const T*>(block.b_packed) + j * block.depth;
      task.b_stride = gemm_panel_width<T>(task.columns);
      if constexpr (!Types::converts) {
        if (!block.b_packed) {
          task.b = block.b + j;
          task.b_stride = block.b_stride;
        }
      }
      if (block.a_transposed) {
        gemm_tile_as_wide<T, true>(rows, task);
      } else {
        gemm_tile_as_wide<T, false>(rows, task);
      }
    }
  }
}

template <class T>
void gemm_sum_partials(const T* partial, std::int64_t partial_stride, std::int64_t partials, std::int64_t count,
                       T alpha, const T* addend, T* c) {
  using V = vec<T>;
  for (std::int64_t i = 0; i < count; i += V::width) {
    const std::int64_t lanes = count - i < V::width ? count - i : V::width;
    V sum = V::zero();
    for (std::int64_t s = 0; s < partials; ++s) sum += V::load_partial(partial + s * partial_stride + i, lanes);
    sum *= V(alpha);
    if (addend) sum += V::load_partial(addend + i, lanes);
    sum.store_partial(c + i, lanes);
  }
}

template <class T>
std::int64_t gemm_multiply_adds(std::int64_t steps, T factor, T* result) {
  using V = vec<T>;
  constexpr int chains =
      GemmTile<T>::rows == 6 ? 12 : 24;  // enough to hide their latency, few enough for the registers
  V sum[chains];
  for (int i = 0; i < chains; ++i) sum[i] = V(static_cast<T>(i));
  const V multiplier(factor);
  for (std::int64_t step = 0; step < steps; ++step) {
#pragma GCC unroll 24
    for (int i = 0; i < chains; ++i) sum[i] = fma(sum[i], multiplier, multiplier);
  }
  for (int i = 1; i < chains; ++i) sum[0] += sum[i];
  *result = reduce_add(sum[0]);
  return steps * chains * V::width;
}

template <class Types>
void fill_gemm(GemmKernels<Types>& table) {
  using T = typename Types::Sum;
  using Tile = GemmTile<T>;
  table.tile_rows = Tile::rows;
  table.tile_columns = Tile::columns;
  table.vector_columns = Tile::width;
  table.packed_depth = 1;
  table.packed_bytes = sizeof(T);
  table.a_copy_size = gemm_a_copy_size<T>;
  table.multiply = gemm_multiply<Types>;
  table.dots = nullptr;
  if constexpr (!Types::converts) table.dots = gemm_dots<T>;
  table.pack_b = gemm_pack_b<Types>;
  table.pack_b_transposed = gemm_pack_b_transposed<Types>;
  table.sum_partials = gemm_sum_partials<T>;
  table.multiply_adds = gemm_multiply_adds<T>;
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
#undef LINTEL_UNROLL
