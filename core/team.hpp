// The threads behind parallel loops: one team for the whole process, over OpenMP or over threads of our own.
#pragma once

namespace lintel::detail {

/// Calls `body(context, rank, size)` once for every rank in [0, size), each on a thread of its own, rank 0 on this one,
/// and returns when all have returned. `size` is `wanted`, or less where the system gives no more threads. `body` must
/// not throw, and must not call this function.
/// Returns false, and has called nothing, while the team works for another thread, and in a process forked from one
/// whose OpenMP threads were in use: those are gone, and OpenMP would wait for them for ever.
bool run_on_team(int wanted, void (*body)(void* context, int rank, int size), void* context);

}  // namespace lintel::detail
