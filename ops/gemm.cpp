// How a matrix product is cut: into tasks by its shape, and within a task into blocks that fit the caches.
#include <algorithm>
#include <cstddef>
#include <utility>

#include <lintel/core/error.hpp>
#include <lintel/core/matmul_precision.hpp>
#include <lintel/core/memory.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/ops/gemm.hpp>
#include <lintel/ops/kernel_table.hpp>

namespace lintel {
namespace gemm_detail {

/// The part of the inner dimension that is summed in registers, so that a panel of A fits the first-level cache. Tile
/// registers take 32 rows of A and leave less depth.
template <class Types>
constexpr std::int64_t depth_block = Types::converts ? 256
                                                     : 2048 / static_cast<std::int64_t>(sizeof(typename Types::Sum));
/// The rows of a transposed A that are copied at once: their copy should fit the second-level cache beside B's.
constexpr std::int64_t row_block = 256;
constexpr std::int64_t cache_line = 64;  // bytes
/// Elements of B that are packed at once for all tasks to share: they should fit the last-level cache.
template <class Types>
constexpr std::int64_t shared_elements = (std::int64_t{8} << 20) / Types::factor_bytes;
/// Stretches of the inner dimension that tasks take together where they share B. More of them write C less often; for
/// the fast products of bfloat16 that is what counts.
template <class Types>
constexpr std::int64_t shared_stretches = Types::converts ? 16 : 2;
/// Elements of all partial sums of a product whose inner dimension is split.
template <class Types>
constexpr std::int64_t partial_elements = (std::int64_t{8} << 20) /
                                          static_cast<std::int64_t>(sizeof(typename Types::Sum));
/// Steps of the inner dimension between two places where it may be cut: the factors of a cache line.
template <class Types>
constexpr std::int64_t depth_step = cache_line / Types::factor_bytes;
/// Rows up to which dot products are considered.
constexpr std::int64_t few_rows = 6;
/// Tasks that a product should fall into, so that the threads of a larger machine all get some.
constexpr std::int64_t enough_tasks = 16;
/// Multiply-adds in the time of one elementary operation of `parallel_for`.
constexpr double products_per_operation = 16;
/// Elementary operations below which a product is not split.
constexpr double worth_splitting = 1 << 16;

std::int64_t ceil_divide(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

/// The kernels of the active instruction set.
template <class Types>
const GemmKernels<Types>& kernels_of() {
  if constexpr (Types::rounds) {
    return active_bfloat16_products().of_float32;
  } else if constexpr (Types::widens) {
    return active_bfloat16_products().of_bfloat16;
  } else {
    return active_kernels<typename Types::Sum>().gemm;
  }
}

/// Columns of B that are packed at once, whole tiles: with `depth_block` rows they should fit the second-level cache.
template <class Types>
std::int64_t column_block(const GemmKernels<Types>& kernels) {
  constexpr std::int64_t columns = Types::factor_bytes == 2 ? 512 : 256;
  return ceil_divide(columns, kernels.tile_columns) * kernels.tile_columns;
}

struct Range {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t size() const { return end - begin; }
};

/// Part `index` of `range` cut into `parts` of about equal size, whose lengths but the last are multiples of `step`.
Range part_of(Range range, std::int64_t parts, std::int64_t index, std::int64_t step) {
  const std::int64_t steps = ceil_divide(range.size(), step);
  const std::int64_t begin = range.begin + steps * index / parts * step;
  const std::int64_t end = range.begin + steps * (index + 1) / parts * step;
  return {std::min(begin, range.end), std::min(end, range.end)};
}

/// Working memory of one call or task: on the stack where it is small, else from the tensors' caching resource.
class Workspace {
 public:
  explicit Workspace(std::int64_t bytes) : bytes_(static_cast<std::size_t>(bytes)) {
    if (bytes_ > sizeof local_) allocated_ = tensor_memory().allocate(bytes_, buffer_alignment);
  }
  ~Workspace() {
    if (allocated_) tensor_memory().deallocate(allocated_, bytes_, buffer_alignment);
  }
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  std::byte* data() { return allocated_ ? static_cast<std::byte*>(allocated_) : local_; }

 private:
  std::size_t bytes_;
  void* allocated_ = nullptr;
  alignas(buffer_alignment) std::byte local_[16384];
};

template <class Types>
struct Product {
  using Stored = typename Types::Stored;
  using Sum = typename Types::Sum;
  std::int64_t m, n, k;
  Sum alpha;
  GemmOperand<Stored> a, b;
  Sum* c;
  std::int64_t c_stride;
  GemmEpilogue<Sum> epilogue;
};

/// Where the element (row, column) of op(X) lies.
template <class T>
const T* element_of(const GemmOperand<T>& x, std::int64_t row, std::int64_t column) {
  return x.data + (x.transposed ? column * x.leading_dimension + row : row * x.leading_dimension + column);
}

/// Product `index` of a batch, given the first.
template <class Types>
Product<Types> product_of(const GemmBatch& batch, const Product<Types>& first, std::int64_t index) {
  const std::int64_t outer = index / batch.inner, inner = index % batch.inner;
  Product<Types> product = first;
  product.a.data += outer * batch.a_outer + inner * batch.a_inner;
  product.b.data += outer * batch.b_outer + inner * batch.b_inner;
  product.c += outer * batch.c_outer + inner * batch.c_inner;
  return product;
}

/// Elementary operations of a product, as `parallel_for` counts them.
double cost_of(std::int64_t m, std::int64_t n, std::int64_t k) {
  return static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k) / products_per_operation;
}

template <class Types>
std::int64_t depth_blocks(Range depth) {
  return std::max<std::int64_t>(1, ceil_divide(depth.size(), depth_block<Types>));
}

/// The stretches of the inner dimension that are computed one after the other.
template <class Types>
Range depth_block_of(Range depth, std::int64_t index) {
  return part_of(depth, depth_blocks<Types>(depth), index, depth_step<Types>);
}

template <class Types>
std::int64_t packed_columns(const GemmKernels<Types>& kernels, Range columns) {
  return ceil_divide(columns.size(), kernels.vector_columns) * kernels.vector_columns;
}

/// Bytes of a packed part of B, of so many columns as `packed_columns` says.
template <class Types>
std::int64_t packed_size(const GemmKernels<Types>& kernels, std::int64_t depth, std::int64_t columns) {
  return ceil_divide(depth, kernels.packed_depth) * kernels.packed_depth * columns * kernels.packed_bytes;
}

template <class Types>
void pack_b(const GemmKernels<Types>& kernels, const GemmOperand<typename Types::Stored>& b, Range depth, Range columns,
            std::byte* packed) {
  const auto pack = b.transposed ? kernels.pack_b_transposed : kernels.pack_b;
  pack(element_of(b, depth.begin, columns.begin), b.leading_dimension, depth.size(), columns.size(), packed);
}

/// A packed part of B that several tasks read: its depth blocks, one behind the other.
template <class Types>
struct SharedB {
  Range depth;
  Range columns;
  std::byte* packed;

  std::byte* at(const GemmKernels<Types>& kernels, Range depth_block, std::int64_t column) const {
    return packed + packed_size(kernels, depth_block.begin - depth.begin, packed_columns(kernels, columns)) +
           packed_size(kernels, depth_block.size(), column - columns.begin);
  }
};

/// Part of a product, its operands where they lie. C itself is added after the first stretch of the inner dimension.
template <class Types>
GemmBlock<Types> block_of(const Product<Types>& product, Range rows, Range columns, Range depth) {
  GemmBlock<Types> block{};
  block.rows = rows.size();
  block.columns = columns.size();
  block.depth = depth.size();
  block.alpha = product.alpha;
  block.a = element_of(product.a, rows.begin, depth.begin);
  block.a_stride = product.a.leading_dimension;
  block.a_transposed = product.a.transposed;
  block.b = element_of(product.b, depth.begin, columns.begin);
  block.b_stride = product.b.leading_dimension;
  block.c = product.c + rows.begin * product.c_stride + columns.begin;
  block.c_stride = product.c_stride;
  if (depth.begin > 0 || product.epilogue.accumulate) {
    block.addend = block.c;
    block.addend_stride = block.c_stride;
  } else if (product.epilogue.bias) {
    block.addend = product.epilogue.bias + columns.begin;
  }
  return block;
}

/// Whether copying A pays: a panel is read once per tile of columns. It does not where its rows follow each other, nor
/// where the columns of a transposed A fill their cache lines and do not evict each other, as those a page apart do.
template <class Types>
bool worth_copying(const GemmKernels<Types>& kernels, const GemmOperand<typename Types::Stored>& a, std::int64_t depth,
                   std::int64_t columns) {
  if (Types::converts) return true;
  if (columns <= 2 * kernels.tile_columns) return false;
  if (!a.transposed) return a.leading_dimension != depth;
  const auto bytes = static_cast<std::int64_t>(sizeof(typename Types::Stored));
  return kernels.tile_rows * bytes < cache_line / 2 || a.leading_dimension * bytes > 1024;
}

/// Whether B must be packed, or packing pays: it is read once per tile of rows.
template <class Types>
bool worth_packing(const GemmKernels<Types>& kernels, const GemmOperand<typename Types::Stored>& b, std::int64_t rows,
                   std::int64_t columns) {
  return Types::converts || b.transposed || columns % kernels.vector_columns != 0 || rows > 6 * kernels.tile_rows;
}

/// Whether dot products are faster than packing a transposed B, which costs as much as the product of some ten rows.
template <class Types>
bool worth_dots(const Product<Types>& product) {
  return !Types::converts && product.m <= few_rows && product.b.transposed && !product.a.transposed;
}

/// The elements (rows, columns) of op(X) where they lie.
template <class T>
GemmRegion<T> region_of(const GemmOperand<T>& x, Range rows, Range columns) {
  if (x.transposed) std::swap(rows, columns);
  const T* const data = x.data + rows.begin * x.leading_dimension + columns.begin;
  return {data, x.leading_dimension, columns.size(), rows.size()};
}

/// How one thread computes rows x columns of C over a stretch of the inner dimension: in blocks whose operands fit the
/// second-level cache, A copied and B packed where it pays.
template <class Types>
class BlockLoop {
 public:
  BlockLoop(const GemmKernels<Types>& kernels, const Product<Types>& product, Range rows, Range columns, Range depth,
            const SharedB<Types>* shared)
      : kernels_(kernels),
        product_(product),
        rows_(rows),
        columns_(columns),
        depth_(depth),
        shared_(shared),
        deepest_(std::min(depth.size(), depth_block<Types>)),
        copies_a_(worth_copying(kernels, product.a, deepest_, columns.size())),
        packs_b_(!shared && worth_packing(kernels, product.b, rows.size(), columns.size())),
        row_parts_(copies_a_ && (product.a.transposed || Types::converts) ? ceil_divide(rows.size(), row_block) : 1),
        column_parts_(ceil_divide(columns.size(), column_block(kernels))) {}

  void run() const {
    const std::int64_t highest = row_parts_ > 1 ? row_block : rows_.size();
    const std::int64_t widest = std::min(packed_columns(kernels_, columns_), column_block(kernels_));
    const std::int64_t a_size = copies_a_ ? kernels_.a_copy_size(highest, deepest_, product_.a.transposed) : 0;
    Workspace workspace(a_size + (packs_b_ ? packed_size(kernels_, deepest_, widest) : 0));
    const std::int64_t blocks = depth_blocks<Types>(depth_) * row_parts_ * column_parts_;
    for (std::int64_t index = 0; index < blocks; ++index) {
      multiply(index, copies_a_ ? workspace.data() : nullptr, workspace.data() + a_size);
    }
  }

 private:
  Range stretch_of(std::int64_t index) const {
    return depth_block_of<Types>(depth_, index / column_parts_ / row_parts_);
  }
  Range rows_of(std::int64_t index) const { return part_of(rows_, row_parts_, index / column_parts_ % row_parts_, 1); }
  Range columns_of(std::int64_t index) const {
    return part_of(columns_, column_parts_, index % column_parts_, kernels_.tile_columns);
  }

  void multiply(std::int64_t index, std::byte* a_copy, std::byte* packed) const {
    GemmBlock<Types> block = block_of(product_, rows_of(index), columns_of(index), stretch_of(index));
    block.a_copy = a_copy;
    block.a_copied = index % column_parts_ > 0;
    if (packs_b_ && (column_parts_ > 1 || index % row_parts_ == 0)) {
      pack_b(kernels_, product_.b, stretch_of(index), columns_of(index), packed);
    }
    if (packs_b_) block.b_packed = packed;
    if (shared_) block.b_packed = shared_->at(kernels_, stretch_of(index), columns_of(index).begin);
    if (!shared_ && (index + 1) < depth_blocks<Types>(depth_) * row_parts_ * column_parts_) {
      block.next[0] = region_of(product_.a, rows_of(index + 1), stretch_of(index + 1));
      block.next[1] = region_of(product_.b, stretch_of(index + 1), columns_of(index + 1));
    }
    kernels_.multiply(block);
  }

  const GemmKernels<Types>& kernels_;
  const Product<Types>& product_;
  Range rows_, columns_, depth_;
  const SharedB<Types>* shared_;
  std::int64_t deepest_;
  bool copies_a_, packs_b_;
  std::int64_t row_parts_, column_parts_;
};

/// Computes rows x columns of C over a stretch of the inner dimension, on this thread.
template <class Types>
void multiply_block(const GemmKernels<Types>& kernels, const Product<Types>& product, Range rows, Range columns,
                    Range depth, const SharedB<Types>* shared) {
  if (worth_dots(product)) return kernels.dots(block_of(product, rows, columns, depth));
  BlockLoop<Types>(kernels, product, rows, columns, depth, shared).run();
}

/// How a batch of products is cut into tasks.
struct Plan {
  std::int64_t row_parts = 1;
  std::int64_t column_parts = 1;
  std::int64_t depth_parts = 1;
  bool shares_b = false;
};

/// Parts of the inner dimension for products that are too few and too small to give every thread a block of C, such as
/// the gradient of a weight; 1 for others.
template <class Types>
std::int64_t depth_parts_of(std::int64_t products, std::int64_t m, std::int64_t n, std::int64_t k) {
  if (products >= enough_tasks || k < 8 * std::max(m, n) || k < 4 * depth_block<Types>) return 1;
  return std::max<std::int64_t>(1, std::min({ceil_divide(enough_tasks, products), k / depth_block<Types>,
                                             partial_elements<Types> / (products * m * n)}));
}

template <class Types>
Plan plan_of(const GemmKernels<Types>& kernels, std::int64_t products, std::int64_t m, std::int64_t n, std::int64_t k) {
  Plan plan;
  if (cost_of(m, n, k) < worth_splitting) return plan;
  plan.depth_parts = depth_parts_of<Types>(products, m, n, k);
  if (plan.depth_parts == 1) {
    // Low blocks where B is packed once for all; else each task packs its own B, which must pay.
    const std::int64_t rows = products == 1 ? 64 / kernels.tile_rows * kernels.tile_rows : 512;
    plan.row_parts = ceil_divide(m, rows);
    if (plan.row_parts > 1) plan.row_parts += plan.row_parts % 2;  // an odd part keeps one of two threads waiting
    plan.shares_b = products == 1 && plan.row_parts > 2;
    if (plan.shares_b) plan.column_parts = ceil_divide(n, column_block(kernels));
  }
  const auto tasks = [&] { return products * plan.row_parts * plan.column_parts * plan.depth_parts; };
  while (tasks() < enough_tasks && n / plan.column_parts >= 512) plan.column_parts *= 2;
  const bool may_split_rows = products > 1 && plan.depth_parts == 1;
  while (may_split_rows && tasks() < enough_tasks && m / plan.row_parts >= 256) plan.row_parts *= 2;
  return plan;
}

template <class Types>
void pack_shared_b(const GemmKernels<Types>& kernels, const GemmOperand<typename Types::Stored>& b,
                   const SharedB<Types>& shared) {
  const std::int64_t blocks = depth_blocks<Types>(shared.depth);
  const std::int64_t column_parts = ceil_divide(shared.columns.size(), 8 * kernels.tile_columns);
  const std::int64_t tasks = blocks * column_parts;
  const double elements = static_cast<double>(shared.depth.size()) * static_cast<double>(shared.columns.size());
  parallel_for(tasks, elements / static_cast<double>(tasks), [&](std::int64_t index) {
    const Range depth = depth_block_of<Types>(shared.depth, index / column_parts);
    const Range columns = part_of(shared.columns, column_parts, index % column_parts, kernels.tile_columns);
    pack_b(kernels, b, depth, columns, shared.at(kernels, depth, columns.begin));
  });
}

/// One large product: B is packed once for all tasks, as much of it at a time as the last-level cache holds.
template <class Types>
void multiply_sharing_b(const GemmKernels<Types>& kernels, Plan plan, const Product<Types>& product) {
  const std::int64_t deepest = std::min(product.k, shared_stretches<Types> * depth_block<Types>);
  const std::int64_t block = column_block(kernels);
  const std::int64_t widest = std::max<std::int64_t>(shared_elements<Types> / deepest / block, 1) * block;
  const std::int64_t depth_parts = ceil_divide(product.k, deepest);
  const std::int64_t column_parts = ceil_divide(product.n, widest);
  plan.column_parts = ceil_divide(plan.column_parts, column_parts);
  Workspace workspace(packed_size(kernels, deepest, std::min(widest, packed_columns(kernels, {0, product.n}))));
  for (std::int64_t part = 0; part < column_parts * depth_parts; ++part) {
    const SharedB<Types> shared{
        part_of({0, product.k}, depth_parts, part % depth_parts, depth_step<Types>),
        part_of({0, product.n}, column_parts, part / depth_parts, kernels.tile_columns),
        workspace.data(),
    };
    pack_shared_b(kernels, product.b, shared);
    const std::int64_t tasks = plan.row_parts * plan.column_parts;
    const double cost = cost_of(product.m, shared.columns.size(), shared.depth.size()) / static_cast<double>(tasks);
    parallel_for(tasks, cost, [&](std::int64_t index) {
      // The rows change fastest: a part of B stays in the second-level cache.
      const Range rows = part_of({0, product.m}, plan.row_parts, index % plan.row_parts, 1);
      const Range columns = part_of(shared.columns, plan.column_parts, index / plan.row_parts, kernels.tile_columns);
      multiply_block(kernels, product, rows, columns, shared.depth, &shared);
    });
  }
}

/// Many products: every task packs what it needs itself.
template <class Types>
void multiply_separately(const GemmKernels<Types>& kernels, const Plan& plan, const GemmBatch& batch,
                         const Product<Types>& first) {
  const std::int64_t parts = plan.row_parts * plan.column_parts;
  const double cost = cost_of(first.m, first.n, first.k) / static_cast<double>(parts);
  parallel_for(batch.outer * batch.inner * parts, cost, [&](std::int64_t index) {
    const std::int64_t part = index % parts;
    const Range rows = part_of({0, first.m}, plan.row_parts, part / plan.column_parts, 1);
    const Range columns = part_of({0, first.n}, plan.column_parts, part % plan.column_parts, kernels.tile_columns);
    multiply_block<Types>(kernels, product_of(batch, first, index / parts), rows, columns, {0, first.k}, nullptr);
  });
}

/// Sums the partial products of rows of C into them.
template <class Types>
void sum_partial_rows(const GemmKernels<Types>& kernels, const Product<Types>& product, std::int64_t parts, Range rows,
                      const typename Types::Sum* partial) {
  for (std::int64_t i = rows.begin; i < rows.end; ++i) {
    typename Types::Sum* c = product.c + i * product.c_stride;
    kernels.sum_partials(partial + i * product.n, product.m * product.n, parts, product.n, product.alpha,
                         product.epilogue.accumulate ? c : product.epilogue.bias, c);
  }
}

/// Few products with a long inner dimension: each task computes a stretch of it, and then the partial sums are added.
template <class Types>
void multiply_splitting_depth(const GemmKernels<Types>& kernels, const Plan& plan, const GemmBatch& batch,
                              const Product<Types>& first) {
  const std::int64_t products = batch.outer * batch.inner;
  const std::int64_t c_size = first.m * first.n;
  const std::int64_t parts = plan.depth_parts * plan.column_parts;
  using Sum = typename Types::Sum;
  Workspace workspace(products * plan.depth_parts * c_size * static_cast<std::int64_t>(sizeof(Sum)));
  Sum* const partials = reinterpret_cast<Sum*>(workspace.data());
  const double cost = cost_of(first.m, first.n, first.k) / static_cast<double>(parts);
  parallel_for(products * parts, cost, [&](std::int64_t index) {
    const std::int64_t stretch = index / plan.column_parts;
    const Range depth = part_of({0, first.k}, plan.depth_parts, stretch % plan.depth_parts, depth_step<Types>);
    const Range columns = part_of({0, first.n}, plan.column_parts, index % plan.column_parts, kernels.tile_columns);
    Product<Types> partial = product_of(batch, first, stretch / plan.depth_parts);
    partial.k = depth.size();
    partial.alpha = Sum(1);
    partial.a.data = element_of(partial.a, 0, depth.begin);
    partial.b.data = element_of(partial.b, depth.begin, 0);
    partial.c = partials + stretch * c_size;
    partial.c_stride = first.n;
    partial.epilogue = {};
    multiply_block<Types>(kernels, partial, {0, first.m}, columns, {0, depth.size()}, nullptr);
  });
  const std::int64_t row_parts = ceil_divide(c_size, 1 << 14);
  const double elements = static_cast<double>(c_size) * static_cast<double>(plan.depth_parts);
  parallel_for(products * row_parts, elements / static_cast<double>(row_parts), [&](std::int64_t index) {
    const std::int64_t product = index / row_parts;
    sum_partial_rows<Types>(kernels, product_of(batch, first, product), plan.depth_parts,
                            part_of({0, first.m}, row_parts, index % row_parts, 1),
                            partials + product * plan.depth_parts * c_size);
  });
}

void check_size(const char* name, std::int64_t size) {
  if (size < 0) fail("gemm: ", name, " is ", size, ", at least 0 wanted");
}

void check_leading_dimension(const char* name, std::int64_t leading_dimension, std::int64_t row) {
  if (leading_dimension < row) {
    fail("gemm: rows of ", name, " have ", row, " elements, but its leading dimension is ", leading_dimension);
  }
}

template <class Types>
void check(const GemmBatch& batch, const Product<Types>& product) {
  check_size("m", product.m);
  check_size("n", product.n);
  check_size("k", product.k);
  check_size("the outer batch", batch.outer);
  check_size("the inner batch", batch.inner);
  check_leading_dimension("a", product.a.leading_dimension, product.a.transposed ? product.m : product.k);
  check_leading_dimension("b", product.b.leading_dimension, product.b.transposed ? product.k : product.n);
  if (product.epilogue.accumulate && product.epilogue.bias) fail("gemm: either accumulates or adds a bias, not both");
  check_leading_dimension("c", product.c_stride, product.n);
}

template <class Types>
void multiply_batch(const GemmBatch& batch, const Product<Types>& product) {
  check(batch, product);
  const std::int64_t products = batch.outer * batch.inner;
  if (products == 0 || product.m == 0 || product.n == 0) return;
  const GemmKernels<Types>& kernels = kernels_of<Types>();
  const Plan plan = plan_of(kernels, products, product.m, product.n, product.k);
  if (plan.depth_parts > 1) {
    multiply_splitting_depth(kernels, plan, batch, product);
  } else if (plan.shares_b) {
    multiply_sharing_b(kernels, plan, product);
  } else if (products * plan.row_parts * plan.column_parts > 1) {
    multiply_separately(kernels, plan, batch, product);
  } else {
    multiply_block<Types>(kernels, product, {0, product.m}, {0, product.n}, {0, product.k}, nullptr);
  }
}

/// `multiply` of a product with a packed B.
template <class Types>
void multiply_packed(const Product<Types>& product, std::byte* packed) {
  check({}, product);
  const std::int64_t m = product.m, n = product.n, k = product.k;
  if (m == 0 || n == 0) return;
  const GemmKernels<Types>& kernels = kernels_of<Types>();
  const SharedB<Types> shared{{0, k}, {0, n}, packed};
  const std::int64_t parts = cost_of(m, n, k) < worth_splitting ? 1 : ceil_divide(m, row_block);
  parallel_for(parts, cost_of(m, n, k) / static_cast<double>(parts), [&](std::int64_t part) {
    multiply_block(kernels, product, part_of({0, m}, parts, part, 1), {0, n}, {0, k}, &shared);
  });
}

/// Calls `body.template operator()<Types>()` for products of operands stored as T, in the precision that is asked for.
template <class T, class Body>
decltype(auto) with_precision(DType precision, Body&& body) {
  if constexpr (std::is_same_v<T, float>) {
    if (precision == DType::bfloat16) return body.template operator()<GemmTypes<float, bfloat16>>();
  }
  return body.template operator()<GemmTypes<T>>();
}

}  // namespace gemm_detail

template <class T>
void gemm_batched(const GemmBatch& batch, std::int64_t m, std::int64_t n, std::int64_t k, gemm_sum_type<T> alpha,
                  const GemmOperand<T>& a, const GemmOperand<T>& b, gemm_sum_type<T>* c, std::int64_t c_stride,
                  const GemmEpilogue<gemm_sum_type<T>>& epilogue) {
  using namespace gemm_detail;
  with_precision<T>(matmul_precision(), [&]<class Types>() {
    multiply_batch<Types>(batch, {m, n, k, alpha, a, b, c, c_stride, epilogue});
  });
}

template <class T>
void gemm(std::int64_t m, std::int64_t n, std::int64_t k, gemm_sum_type<T> alpha, const GemmOperand<T>& a,
          const GemmOperand<T>& b, gemm_sum_type<T>* c, std::int64_t c_stride,
          const GemmEpilogue<gemm_sum_type<T>>& epilogue) {
  gemm_batched<T>({}, m, n, k, alpha, a, b, c, c_stride, epilogue);
}

template <class T>
PackedMatrix<T>::PackedMatrix(std::int64_t k, std::int64_t n, const GemmOperand<T>& b)
    : k_(k), n_(n), precision_(matmul_precision()) {
  using namespace gemm_detail;
  check_size("n", n);
  check_size("k", k);
  check_leading_dimension("b", b.leading_dimension, b.transposed ? k : n);
  with_precision<T>(precision_, [&]<class Types>() {
    const GemmKernels<Types>& kernels = kernels_of<Types>();
    const std::int64_t bytes = packed_size(kernels, k, packed_columns(kernels, {0, n}));
    packed_.emplace(ceil_divide(bytes, sizeof(T)));
    if (k > 0 && n > 0) pack_shared_b(kernels, b, SharedB<Types>{{0, k}, {0, n}, data()});
  });
}

template <class T>
void gemm(std::int64_t m, T alpha, const GemmOperand<T>& a, const PackedMatrix<T>& b, T* c, std::int64_t c_stride,
          const GemmEpilogue<T>& epilogue) {
  using namespace gemm_detail;
  with_precision<T>(b.precision(), [&]<class Types>() {
    multiply_packed<Types>({m, b.columns(), b.rows(), alpha, a, {nullptr, b.columns()}, c, c_stride, epilogue},
                           b.data());
  });
}

#define LINTEL_INSTANTIATE_GEMM(T, Sum)                                                                              \
  template void gemm(std::int64_t, std::int64_t, std::int64_t, Sum, const GemmOperand<T>&, const GemmOperand<T>&,    \
                     Sum*, std::int64_t, const GemmEpilogue<Sum>&);                                                  \
  template void gemm_batched(const GemmBatch&, std::int64_t, std::int64_t, std::int64_t, Sum, const GemmOperand<T>&, \
                             const GemmOperand<T>&, Sum*, std::int64_t, const GemmEpilogue<Sum>&)

LINTEL_INSTANTIATE_GEMM(float, float);
LINTEL_INSTANTIATE_GEMM(double, double);
LINTEL_INSTANTIATE_GEMM(bfloat16, float);

#undef LINTEL_INSTANTIATE_GEMM

template class PackedMatrix<float>;
template class PackedMatrix<double>;
template void gemm(std::int64_t, float, const GemmOperand<float>&, const PackedMatrix<float>&, float*, std::int64_t,
                   const GemmEpilogue<float>&);
template void gemm(std::int64_t, double, const GemmOperand<double>&, const PackedMatrix<double>&, double*, std::int64_t,
                   const GemmEpilogue<double>&);

}  // namespace lintel
