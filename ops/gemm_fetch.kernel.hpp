// Fetching what a matrix product reads soon while it computes, once per instruction set: no include guard, see
// gemm_block.hpp.
//
// Memory answers slowly and accepts few questions at a time. A burst of prefetches would make the next load of the
// inner loop wait behind them, so every turn of the loop asks for at most one line.

namespace lintel::kernels::LINTEL_ISA {

/// Where fetching has come to: from `position` to `end` in steps of so many bytes, then the next row.
struct GemmFetch {
  const char* position = nullptr;
  const char* end = nullptr;
  std::int64_t step = 0;

  struct Rows {
    const char* begin = nullptr;  // the row after the current one
    std::int64_t stride = 0;      // bytes
    std::int64_t size = 0;
    std::int64_t left = 0;
  };
  Rows rows[2];
};

/// Sets `fetch` to the next row that is left, or to a standstill. Returns its position.
[[gnu::noinline, gnu::cold]] inline const char* gemm_fetch_next_row(GemmFetch& fetch) {
  for (GemmFetch::Rows& rows : fetch.rows) {
    if (rows.left == 0) continue;
    const char* const begin = rows.begin;
    fetch.end = begin + rows.size;
    rows.begin += rows.stride;
    --rows.left;
    return begin;
  }
  fetch.step = 0;
  fetch.end = fetch.position + 1;
  return fetch.position;
}

/// Rows that follow each other in memory become one.
template <class T>
GemmFetch::Rows gemm_fetch_rows(const GemmRegion<T>& region) {
  constexpr std::int64_t bytes = sizeof(T);
  const char* const begin = reinterpret_cast<const char*>(region.data);
  if (region.stride == region.columns && region.rows > 0) {
    return {begin, 0, region.rows * region.columns * bytes, 1};
  }
  return {begin, region.stride * bytes, region.columns * bytes, region.rows};
}

/// Steps of the inner dimension in one turn of the loop. They share what a turn costs beside its multiply-adds.
constexpr std::int64_t gemm_steps_of_turn = 2;

/// Fetching of one region and then another, spread over so many steps of the inner dimension.
template <class T>
GemmFetch gemm_fetch(const GemmRegion<T>& first, const GemmRegion<T>& second, std::int64_t steps) {
  constexpr std::int64_t line = 64;
  GemmFetch fetch;
  fetch.rows[0] = gemm_fetch_rows(first);
  fetch.rows[1] = gemm_fetch_rows(second);
  std::int64_t bytes = 0;
  for (const GemmFetch::Rows& rows : fetch.rows) bytes += rows.size * rows.left;
  fetch.position = reinterpret_cast<const char*>(first.data);
  const std::int64_t turns = steps / gemm_steps_of_turn;
  if (turns > 0) fetch.step = (bytes + turns - 1) / turns;
  if (fetch.step > line) fetch.step = line;
  fetch.position = gemm_fetch_next_row(fetch);
  return fetch;
}

}  // namespace lintel::kernels::LINTEL_ISA
