// All of Lintel's public headers.
#pragma once

#include <lintel/core/bfloat16_unit.hpp>
#include <lintel/core/dtype.hpp>
#include <lintel/core/error.hpp>
#include <lintel/core/isa.hpp>
#include <lintel/core/matmul_precision.hpp>
#include <lintel/core/memory.hpp>
#include <lintel/core/parallel.hpp>
#include <lintel/core/random.hpp>
#include <lintel/core/shape.hpp>
#include <lintel/core/tensor.hpp>
#include <lintel/core/visit.hpp>

#include <lintel/autograd/cotangent.hpp>
#include <lintel/autograd/custom_op.hpp>
#include <lintel/autograd/gradcheck.hpp>
#include <lintel/autograd/gradients.hpp>
#include <lintel/autograd/tape.hpp>
#include <lintel/autograd/transforms.hpp>
#include <lintel/autograd/views.hpp>

#include <lintel/ops/activation.hpp>
#include <lintel/ops/cross_entropy.hpp>
#include <lintel/ops/dropout.hpp>
#include <lintel/ops/elementwise.hpp>
#include <lintel/ops/feature_map.hpp>
#include <lintel/ops/index.hpp>
#include <lintel/ops/kernel_attention.hpp>
#include <lintel/ops/layer_norm.hpp>
#include <lintel/ops/linear.hpp>
#include <lintel/ops/matmul.hpp>
#include <lintel/ops/mse.hpp>
#include <lintel/ops/reduce.hpp>
#include <lintel/ops/rms_norm.hpp>
#include <lintel/ops/sequences.hpp>
#include <lintel/ops/shape_ops.hpp>
#include <lintel/ops/softmax.hpp>
#include <lintel/ops/softmax_attention.hpp>

#include <lintel/nn/attention.hpp>
#include <lintel/nn/block.hpp>
#include <lintel/nn/clip.hpp>
#include <lintel/nn/dropout.hpp>
#include <lintel/nn/embedding.hpp>
#include <lintel/nn/feature_maps.hpp>
#include <lintel/nn/feed_forward.hpp>
#include <lintel/nn/init.hpp>
#include <lintel/nn/linear.hpp>
#include <lintel/nn/loss.hpp>
#include <lintel/nn/norm.hpp>
#include <lintel/nn/optimiser.hpp>
#include <lintel/nn/parameters.hpp>
#include <lintel/nn/safetensors.hpp>
#include <lintel/nn/schedule.hpp>
#include <lintel/nn/training.hpp>

#include <lintel/models/batch.hpp>
#include <lintel/models/classifier.hpp>
#include <lintel/models/language_model.hpp>
#include <lintel/models/token_embedding.hpp>
