// The spine: the whole library as one translation unit, `c++ -std=c++20 -I<forwarding headers> -c lintel.cpp`.
//
// The normal build compiles the files separately; this one keeps them fit for scripts/amalgamate, which writes this
// file out in full. Names of helpers must therefore be unique across the library, and macros must not leak. No flags
// are needed: the kernels are included once per instruction set, each time between pragmas that make the compiler use
// that set for what is in between, and core/isa.cpp chooses among them when the program runs.
#define LINTEL_SPINE

#if defined(__x86_64__)
#define LINTEL_HAVE_AVX2
#define LINTEL_HAVE_AVX512
#define LINTEL_HAVE_AVX512_BF16
#define LINTEL_HAVE_AMX_BF16
#elif defined(__aarch64__)
#define LINTEL_HAVE_NEON
#endif

#include <lintel/lintel.hpp>

// clang-format off
#include "core/atomic_file.cpp"
#include "core/bfloat16_unit.cpp"
#include "core/cpu_limits.cpp"
#include "core/dtype.cpp"
#include "core/isa.cpp"
#include "core/matmul_precision.cpp"
#include "core/memory.cpp"
#include "core/parallel.cpp"
#include "core/print.cpp"
#include "core/random.cpp"
#include "core/shape.cpp"
#include "core/team.cpp"
#include "core/tensor.cpp"
#include "core/utf8.cpp"
#include "autograd/checkpoint.cpp"
#include "autograd/cotangent.cpp"
#include "autograd/gradcheck.cpp"
#include "autograd/gradients.cpp"
#include "autograd/tape.cpp"
#include "autograd/views.cpp"
#include "ops/attention_inputs.cpp"
#include "ops/attention_state.cpp"
#include "ops/cross_entropy.cpp"
#include "ops/dropout.cpp"
#include "ops/elementwise.cpp"
#include "ops/feature_map.cpp"
#include "ops/feed_forward.cpp"
#include "ops/gemm.cpp"
#include "ops/index.cpp"
#include "ops/kernel_attention.cpp"
#include "ops/kernel_attention_call.cpp"
#include "ops/kernel_table.cpp"
#include "ops/layer_norm.cpp"
#include "ops/linear.cpp"
#include "ops/linear_cross_entropy.cpp"
#include "ops/linear_pass.cpp"
#include "ops/matmul.cpp"
#include "ops/mse.cpp"
#include "ops/projections.cpp"
#include "ops/reduce.cpp"
#include "ops/rms_norm.cpp"
#include "ops/rotary.cpp"
#include "ops/sequences.cpp"
#include "ops/shape_ops.cpp"
#include "ops/short_convolution.cpp"
#include "ops/softmax.cpp"
#include "ops/softmax_attention.cpp"
#include "nn/attention.cpp"
#include "nn/attention_memory.cpp"
#include "nn/attention_state.cpp"
#include "nn/attention_weights.cpp"
#include "nn/block.cpp"
#include "nn/clip.cpp"
#include "nn/decoder_block.cpp"
#include "nn/dropout.cpp"
#include "nn/embedding.cpp"
#include "nn/feature_layers.cpp"
#include "nn/feature_maps.cpp"
#include "nn/feed_forward.cpp"
#include "nn/head_layers.cpp"
#include "nn/init.cpp"
#include "nn/json_scanner.cpp"
#include "nn/linear.cpp"
#include "nn/norm.cpp"
#include "nn/optimiser.cpp"
#include "nn/safetensors.cpp"
#include "nn/safetensors_header.cpp"
#include "nn/schedule.cpp"
#include "nn/swiglu.cpp"
#include "models/classifier.cpp"
#include "models/dual_encoder.cpp"
#include "models/encoder_decoder.cpp"
#include "models/language_model.cpp"
#include "models/language_model_state.cpp"
#include "models/llama.cpp"
#include "models/sequence_encoder.cpp"
#include "models/token_embedding.cpp"
#include "models/transformer_options.cpp"
// clang-format on

#include <lintel/core/simd.hpp>

// Kernels are worth optimising whatever the flags for the rest are; -ffp-contract=off as in cmake/options.cmake.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC push_options
#pragma GCC optimize("O3,fp-contract=off")
#endif

#include "ops/kernels_baseline.cpp"

#if defined(LINTEL_HAVE_AVX2)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#include "ops/kernels_avx2.cpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#if defined(LINTEL_HAVE_AVX512)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma")
#endif
#include "ops/kernels_avx512.cpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#if defined(LINTEL_HAVE_AVX512_BF16)
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma,avx512bf16"))), \
                             apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma,avx512bf16")
#endif
#include "ops/kernels_avx512_bf16.cpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#if defined(LINTEL_HAVE_AMX_BF16)
#if defined(__clang__)
#pragma clang attribute push(                                                                                \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma,avx512bf16,amx-tile,amx-bf16"))), \
    apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,fma,avx512bf16,amx-tile,amx-bf16")
#endif
#include "ops/kernels_amx_bf16.cpp"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

#if defined(LINTEL_HAVE_NEON)
#include "ops/kernels_neon.cpp"
#endif

#if !defined(__clang__)
#pragma GCC pop_options
#endif
