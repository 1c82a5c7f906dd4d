// The one list of a run's settings: name, meaning, what is allowed. The JSON file, the command's options, their help
// and the checks all walk it; a new setting is a member of `RunConfig` and a line here.
#pragma once

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <lintel/nn/attention.hpp>
#include <lintel/train/run_config.hpp>

namespace lintel::train {

/// What a setting means and may be.
struct Setting {
  const char* name;
  std::string help;
  std::string group = {};                                     ///< the heading it stands under in the help
  double minimum = -std::numeric_limits<double>::infinity();  ///< of a number
  double maximum = std::numeric_limits<double>::infinity();   ///< of a number
  std::vector<std::string> choices = {};                      ///< of a string; empty: any
  bool may_change = false;                                    ///< when a run is resumed

  Setting between(double low, double high) && {
    minimum = low;
    maximum = high;
    return std::move(*this);
  }
  Setting at_least(double low) && {
    minimum = low;
    return std::move(*this);
  }
  Setting one_of(std::vector<std::string> names) && {
    choices = std::move(names);
    return std::move(*this);
  }
  Setting changeable() && {
    may_change = true;
    return std::move(*this);
  }
};

namespace settings_detail {

template <class Config, class Function>
void visit_data(Config& c, Function&& f) {
  f(Setting{"task",
            "what to learn: the class of a row, the class of its two texts, the next byte of a text, or to write a "
            "target for a source"}
        .one_of({"classify", "match", "lm", "seq2seq"}),
    c.task);
  f(Setting{"data", "training file, plain or .gz"}.changeable(), c.data);
  f(Setting{"valid", "validation file; none: the end of the training file is held out"}.changeable(), c.valid);
  f(Setting{"source", "of seq2seq: training file of sources, one a line, plain or .gz, instead of data"}.changeable(),
    c.source);
  f(Setting{"target", "of seq2seq: training file of targets, line by line those of source"}.changeable(), c.target);
  f(Setting{"valid_source", "of seq2seq: validation file of sources"}.changeable(), c.valid_source);
  f(Setting{"valid_target", "of seq2seq: validation file of targets"}.changeable(), c.valid_target);
  f(Setting{"valid_fraction", "what part of the training file is held out without --valid"}.between(0, 0.9),
    c.valid_fraction);
  f(Setting{"format", "of a table; auto: csv for .csv, lines for .txt, else tsv"}.one_of(
        {"auto", "tsv", "csv", "lines"}),
    c.format);
  f(Setting{"header", "the first row of a table names its columns"}, c.header);
  f(Setting{"text_column", "number, from 1, or name of the column to read"}, c.text_column);
  f(Setting{"second_text_column", "a column to append to the text, or to compare with it in the task match"},
    c.second_text_column);
  f(Setting{"label_column", "number, from 1, or name of the column to predict"}, c.label_column);
  f(Setting{"source_column", "of seq2seq: number or name of the column to read"}, c.source_column);
  f(Setting{"target_column", "of seq2seq: number or name of the column to write"}, c.target_column);
  f(Setting{"tokeniser",
            "how text becomes tokens; word: lower case, split at all but a-z and 0-9; 13a: words and punctuation"}
        .one_of({"byte", "word", "whitespace", "13a", "listops"}),
    c.tokeniser);
  f(Setting{"target_tokeniser", "of seq2seq: how targets become tokens; same: as sources do"}.one_of(
        {"same", "byte", "word", "whitespace", "13a"}),
    c.target_tokeniser);
  f(Setting{"vocabulary", "most rows of a word table, padding and unknown included; 0: no limit"}.at_least(0),
    c.vocabulary);
  f(Setting{"min_count", "leave out words that the training rows have less often"}.at_least(1), c.min_count);
  f(Setting{"max_length", "tokens of a sequence; longer ones are cut"}.at_least(2), c.max_length);
}

template <class Config, class Function>
void visit_model(Config& c, Function&& f) {
  f(Setting{"attention", "of linear cost through a trained feature map, or the usual one"}.one_of(
        {"kernel", "softmax"}),
    c.attention);
  f(Setting{"feature_map", "of kernel attention"}.one_of(nn::feature_map_kinds()), c.feature_map);
  f(Setting{"normaliser",
            "of kernel attention, what its sums are divided by: the weights' sum, the root of their number, or by that "
            "with an RMS norm of each head behind it"}
        .one_of(nn::normaliser_kinds()),
    c.normaliser);
  f(Setting{"kernel_layers", "layers of the feature map; fixed maps and hedgehog have one"}.between(1, 64),
    c.kernel_layers);
  f(Setting{"kernel_bias", "biases in the feature map"}, c.kernel_bias);
  f(Setting{"kernel_dropout", "dropout in front of every layer of the feature map"}.between(0, 0.99), c.kernel_dropout);
  f(Setting{"penalty", "weight of the orthogonality penalty on the feature map"}.at_least(0), c.penalty);
  f(Setting{"hidden", "width of the model"}.at_least(1), c.hidden);
  f(Setting{"mlp", "width inside the feed-forward layers; 0: four times hidden"}.at_least(0), c.mlp);
  f(Setting{"heads", "attention heads"}.at_least(1), c.heads);
  f(Setting{"blocks", "Transformer blocks"}.between(1, 1024), c.blocks);
  f(Setting{"decoder_blocks", "blocks of the decoder of seq2seq, blocks being those of the encoder; 0: as many"}
        .between(0, 1024),
    c.decoder_blocks);
  f(Setting{"kv_heads", "heads of keys and values, each shared by several attention heads; 0: as many as heads"}
        .at_least(0),
    c.kv_heads);
  f(Setting{"qk_norm", "an RMS norm of every query and key"}, c.qk_norm);
  f(Setting{"convolution",
            "width of a convolution over queries, keys and values, a token and those just before it; 0: none"}
        .between(0, 64),
    c.convolution);
  f(Setting{"positions", "how a token knows its place; learned positions end at max_length"}.one_of(
        {"learned", "rotary", "none"}),
    c.positions);
  f(Setting{"rotary_base", "of rotary positions: the slowest pair turns by 1/base a token"}.at_least(1), c.rotary_base);
  f(Setting{"norm", "of the blocks and behind them"}.one_of({"layer", "rms"}), c.norm);
  f(Setting{"norm_epsilon", "added to the variance or mean square in a norm"}.between(1e-12, 1), c.norm_epsilon);
  f(Setting{"feed_forward", "the network behind attention"}.one_of({"gelu", "swiglu"}), c.feed_forward);
  f(Setting{"bias_free", "no biases in the linear layers"}, c.bias_free);
  f(Setting{"tied_output", "the output is the table of tokens, of lm and seq2seq"}, c.tied_output);
  f(Setting{"pooling", "what is classified: a learned first token, the mean of all, or the last token"}.one_of(
        {"cls", "mean", "last"}),
    c.pooling);
  f(Setting{"positions_from_end", "of classify and match: a token's learned place is counted from the end too"},
    c.positions_from_end);
  f(Setting{"causal", "of classify and match: a token sees itself and those before it, as in lm; not with pooling cls"},
    c.causal);
  f(Setting{"interaction", "what the task match compares beside the two vectors; nli: their product and difference"}
        .one_of({"none", "nli"}),
    c.interaction);
  f(Setting{"dropout", "dropout in the feed-forward layers; of seq2seq also on embeddings and attention"}.between(0,
                                                                                                                  0.99),
    c.dropout);
}

template <class Config, class Function>
void visit_training(Config& c, Function&& f) {
  f(Setting{"start_from", "folder of a run whose best weights are the first ones, with its vocabulary and classes"},
    c.start_from);
  f(Setting{"batch", "sequences of a step"}.at_least(1), c.batch);
  f(Setting{"batch_tokens", "tokens of a step at most, instead of batch; 0: off"}.at_least(0), c.batch_tokens);
  f(Setting{"length_window", "batches' worth of rows sorted by length together; 1: rows are not sorted"}.at_least(1),
    c.length_window);
  f(Setting{"accumulate", "pieces a step is cut into, to save memory"}.at_least(1), c.accumulate);
  f(Setting{"steps", "length of the run; 0: see epochs"}.at_least(0).changeable(), c.steps);
  f(Setting{"epochs", "length of the run without steps, in passes over the training data"}.at_least(0).changeable(),
    c.epochs);
  f(Setting{"minutes", "stop early, with a checkpoint, after so many minutes; 0: off. The schedule does not know"}
        .at_least(0)
        .changeable(),
    c.minutes);
  f(Setting{"learning_rate", "peak; for inverse_sqrt the factor, the peak being learning_rate / sqrt(warmup)"}.at_least(
        0),
    c.learning_rate);
  f(Setting{"schedule", "of the learning rate over the steps"}.one_of(
        {"constant", "inverse_sqrt", "warmup_cosine", "warmup_linear"}),
    c.schedule);
  f(Setting{"warmup", "steps in which the learning rate rises"}.at_least(0), c.warmup);
  f(Setting{"weight_decay", "of AdamW"}.at_least(0), c.weight_decay);
  f(Setting{"label_smoothing", "of the cross entropy in training"}.between(0, 0.99), c.label_smoothing);
  f(Setting{"clip", "largest norm of the gradient; 0: off"}.at_least(0), c.clip);
  f(Setting{"dtype", "what the factors of matrix products are rounded to; sums, weights and files are float32"}.one_of(
        {"float32", "bfloat16"}),
    c.dtype);
  f(Setting{"seed", "of the initial weights, the order of the data and dropout"}.at_least(0), c.seed);
}

template <class Config, class Function>
void visit_running(Config& c, Function&& f) {
  f(Setting{"checkpoint",
            "keep only what enters each block, and compute the block again for its gradients: less memory, more time"}
        .changeable(),
    c.checkpoint);
  f(Setting{"threads", "threads; 0: one per core. The result does not depend on it"}.between(0, 1024).changeable(),
    c.threads);
  f(Setting{"eval_every", "steps between validations and checkpoints; 0: once an epoch"}.at_least(0).changeable(),
    c.eval_every);
  f(Setting{"log_every", "steps between lines of the log"}.at_least(1).changeable(), c.log_every);
  f(Setting{"out", "folder of the run, made if missing"}.changeable(), c.out);
}

}  // namespace settings_detail

/// Calls `f(setting, member)` for every setting of `config`, which may be const.
template <class Config, class Function>
void for_each_setting(Config& config, Function&& f) {
  std::string group;
  auto grouped = [&](Setting setting, auto& member) {
    setting.group = group;
    f(setting, member);
  };
  group = "Data";
  settings_detail::visit_data(config, grouped);
  group = "Model";
  settings_detail::visit_model(config, grouped);
  group = "Training";
  settings_detail::visit_training(config, grouped);
  group = "Running";
  settings_detail::visit_running(config, grouped);
}

}  // namespace lintel::train
