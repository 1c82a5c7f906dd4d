// Language models that others trained: weights in the layout of Llama.
#pragma once

#include <filesystem>

#include <lintel/models/language_model.hpp>

namespace lintel::models {

/// Reads a model from a safetensors file with the names of Meta's Llama and Karpathy's llama2.c:
/// `tok_embeddings.weight`, for each layer `layers.i.` with `attention_norm.weight`, `attention.{wq,wk,wv,wo}.weight`,
/// `ffn_norm.weight` and `feed_forward.{w1,w2,w3}.weight`, then `norm.weight` and, unless it is tied to the embeddings,
/// `output.weight`; weights are (out, in). The file's metadata give `n_heads`, and where they differ from the defaults
/// `rope_theta` (10000) and `rms_norm_eps` (1e-5), perhaps `max_seq_len`, which limits nothing; other sizes are those
/// of the tensors. The result is softmax attention with rotary positions, RMS norms, SwiGLU and no biases, in float32.
/// Throws an `Error` that says what is missing, unexpected or does not fit. Sources: Touvron et al., "LLaMA", arXiv
/// 2302.13971; github.com/karpathy/llama2.c.
LanguageModel load_llama(const std::filesystem::path& path);

}  // namespace lintel::models
