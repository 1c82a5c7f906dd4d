// The limits of this machine: what a kernel can at best reach.
#pragma once

#include <cstdint>

namespace lintel::tools {

/// 10⁹ floating-point operations a second that all threads together do with multiply-adds between registers and nothing
/// else, T = float, double or bfloat16, whose sums are float. An addition and a multiplication count as one operation
/// each.
template <class T>
double multiply_add_gflops();

/// 10⁹ bytes a second to and from memory, with all threads: the bytes of all arrays that are read or written. Arrays
/// are larger than the caches that cores do not share.
struct Bandwidth {
  double read;   ///< the sum of an array
  double copy;   ///< b = a
  double triad;  ///< c = a + s·b
};

/// The median of some rounds over arrays of 256 MiB.
Bandwidth memory_bandwidth();

}  // namespace lintel::tools
