// Matrix products of bfloat16 by the tile registers of AMX. No include guard.
//
// A tile register holds 16 rows of 64 bytes: 16 × 16 sums, or 16 × 32 factors. Four registers hold 32 × 32 sums, two of
// A and two of B meet in four multiplications. Intel, Architecture Instruction Set Extensions Programming Reference,
// chapter "Intel Advanced Matrix Extensions".

#define LINTEL_INLINE [[gnu::always_inline]] inline

namespace lintel::kernels::LINTEL_ISA {

constexpr int tile_size = 16;
constexpr int gemm_tile_side = 2 * tile_size;
constexpr int tile_prefetched_steps = 2;

/// All registers whole: palette 1, 64 bytes in each of 16 rows.
struct alignas(64) TileConfiguration {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
constexpr TileConfiguration whole_tiles{};

/// Has the tile registers while it lives. The intrinsics of g++ 12 do not say that they read memory: what is written
/// before must be in memory when they run.
struct TileRegisters {
  LINTEL_INLINE TileRegisters() {
    _tile_loadconfig(&whole_tiles);
    __asm__ volatile("" ::: "memory");
  }
  LINTEL_INLINE ~TileRegisters() { _tile_release(); }
};

/// Up to 32 × 32 elements of C; strides in bytes.
struct TileTask {
  std::int64_t steps;  // of 32 along the inner dimension
  const char* a;
  std::int64_t a_stride;
  const char* b;
  std::int64_t b_stride;
  const char* start;  // what the sums start with, or null for zeros
  std::int64_t start_stride;
  char* sums;
  std::int64_t sums_stride;
};

/// Registers 0 to 3 are sums, 4 and 5 rows of A, 6 and 7 columns of B.
template <int RowTiles, int ColumnTiles>
[[gnu::noinline]] void gemm_multiply_tiles(const TileTask& task) {
  constexpr bool two_rows = RowTiles == 2, two_columns = ColumnTiles == 2;
  _tile_zero(0);
  if constexpr (two_columns) _tile_zero(1);
  if constexpr (two_rows) _tile_zero(2);
  if constexpr (two_rows && two_columns) _tile_zero(3);
  if (task.start) {
    const char* const lower = task.start + tile_size * task.start_stride;
    _tile_loadd(0, task.start, task.start_stride);
    if constexpr (two_columns) _tile_loadd(1, task.start + 64, task.start_stride);
    if constexpr (two_rows) _tile_loadd(2, lower, task.start_stride);
    if constexpr (two_rows && two_columns) _tile_loadd(3, lower + 64, task.start_stride);
  }
  const char *a = task.a, *b = task.b;
  const std::int64_t b_step = tile_size * task.b_stride;
  for (std::int64_t step = 0; step < task.steps; ++step, a += 64, b += b_step) {
    // B comes from the second-level cache: its next rows are asked for, one line each.
    for (std::int64_t line = 0; line < b_step; line += 64)
      __builtin_prefetch(b + tile_prefetched_steps * b_step + line);
    _tile_loadd(6, b, task.b_stride);
    _tile_loadd(4, a, task.a_stride);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (two_columns) {
      _tile_loadd(7, b + 64, task.b_stride);
      _tile_dpbf16ps(1, 4, 7);
    }
    if constexpr (two_rows) {
      _tile_loadd(5, a + tile_size * task.a_stride, task.a_stride);
      _tile_dpbf16ps(2, 5, 6);
    }
    if constexpr (two_rows && two_columns) _tile_dpbf16ps(3, 5, 7);
  }
  char* const lower = task.sums + tile_size * task.sums_stride;
  _tile_stored(0, task.sums, task.sums_stride);
  if constexpr (two_columns) _tile_stored(1, task.sums + 64, task.sums_stride);
  if constexpr (two_rows) _tile_stored(2, lower, task.sums_stride);
  if constexpr (two_rows && two_columns) _tile_stored(3, lower + 64, task.sums_stride);
}

inline void gemm_multiply_tiles(std::int64_t rows, std::int64_t columns, const TileTask& task) {
  if (rows > tile_size) {
    if (columns > tile_size) return gemm_multiply_tiles<2, 2>(task);
    return gemm_multiply_tiles<2, 1>(task);
  }
  if (columns > tile_size) return gemm_multiply_tiles<1, 2>(task);
  return gemm_multiply_tiles<1, 1>(task);
}

/// Elements (i, j) to (i + 31, j + 31) of a block, as far as there are so many. Where nothing but the sums is stored
/// and every tile is whole, C itself holds them; else a scratch does, whose elements are stored one register at a time.
template <class Types>
void gemm_multiply_square(const GemmBlock<Types>& block, std::int64_t i, std::int64_t j, TileTask& task) {
  constexpr std::int64_t bytes = sizeof(float);
  const std::int64_t rows = block.rows - i < gemm_tile_side ? block.rows - i : gemm_tile_side;
  const std::int64_t columns = block.columns - j < gemm_tile_side ? block.columns - j : gemm_tile_side;
  const float* const addend = block.addend ? block.addend + i * block.addend_stride + j : nullptr;
  float* const c = block.c + i * block.c_stride + j;
  if (block.alpha == 1 && rows % tile_size == 0 && columns % tile_size == 0) {
    task.start = reinterpret_cast<const char*>(addend);
    task.start_stride = block.addend_stride * bytes;
    task.sums = reinterpret_cast<char*>(c);
    task.sums_stride = block.c_stride * bytes;
    return gemm_multiply_tiles(rows, columns, task);
  }
  alignas(64) float sums[gemm_tile_side * gemm_tile_side];
  task.start = nullptr;
  task.sums = reinterpret_cast<char*>(sums);
  task.sums_stride = gemm_tile_side * bytes;
  gemm_multiply_tiles(rows, columns, task);
  GemmTileTask<float> edge{};
  edge.columns = columns;
  edge.alpha = block.alpha;
  edge.c = c;
  edge.c_stride = block.c_stride;
  edge.addend = addend;
  edge.addend_stride = block.addend_stride;
  gemm_store_edge(edge, rows, sums, gemm_tile_side);
}

template <class Types>
void gemm_multiply_amx(const GemmBlock<Types>& block) {
  if (block.rows == 0) return;
  gemm_copy_pairs(block);
  const TileRegisters registers;
  TileTask task{};
  task.steps = (block.depth + pair_depth - 1) / pair_depth;
  task.a_stride = gemm_pair_stride(block.depth) * static_cast<std::int64_t>(sizeof(GemmPair));
  for (std::int64_t i = 0; i < block.rows; i += gemm_tile_side) {
    task.a = static_cast<const char*>(block.a_copy) + i * task.a_stride;
    for (std::int64_t j = 0; j < block.columns; j += gemm_tile_side) {
      const std::int64_t width = gemm_pair_panel<gemm_tile_side>(block.columns - j);
      task.b = static_cast<const char*>(block.b_packed) + j * task.steps * 64;
      task.b_stride = width * static_cast<std::int64_t>(sizeof(GemmPair));
      gemm_multiply_square(block, i, j, task);
    }
  }
}

inline std::int64_t gemm_amx_multiply_adds(std::int64_t steps, float factor, float* result) {
  alignas(64) GemmPair factors[tile_size * tile_size];
  alignas(64) float sums[tile_size * tile_size];
  for (int i = 0; i < tile_size; ++i) {
    store_pairs(factors + i * pair_lanes, round_pairs(vec<float>(factor), vec<float>(factor)));
  }
  const TileRegisters registers;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_loadd(4, factors, 64);
  _tile_loadd(5, factors, 64);
  _tile_loadd(6, factors, 64);
  _tile_loadd(7, factors, 64);
  for (std::int64_t step = 0; step < steps; ++step) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, 64);
  *result = sums[0];
  return steps * 4 * tile_size * tile_size * pair_depth;
}

template <class Types>
void fill_amx_bf16(GemmKernels<Types>& table) {
  fill_pairs<Types, gemm_tile_side, gemm_tile_side, pair_depth>(table);
  table.multiply = gemm_multiply_amx<Types>;
  table.multiply_adds = gemm_amx_multiply_adds;
}

}  // namespace lintel::kernels::LINTEL_ISA

#undef LINTEL_INLINE
