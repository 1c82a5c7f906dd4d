#include <lintel/train/attention_map.hpp>

#include <nlohmann/json.hpp>

#include <lintel/core/error.hpp>
#include <lintel/train/attention_map_page.hpp>
#include <lintel/train/html_text.hpp>
#include <lintel/train/page.hpp>

namespace lintel::train {
namespace {

// A token as a reader sees it: nothing invisible, no half of a character.
std::string token_label(const Tokeniser& tokeniser, std::int64_t id) {
  const std::string text = tokeniser.decode({id});
  if (!tokeniser.is_bytes()) return text.empty() ? "[PAD]" : text;
  if (text == " ") return "␣";
  if (text == "\n") return "⏎";
  if (text[0] > ' ' && text[0] < 0x7F) return text;
  constexpr const char* digits = "0123456789abcdef";
  return {'x', digits[id / 16], digits[id % 16]};
}

std::vector<std::string> token_labels(const Tokeniser& tokeniser, const std::vector<std::int64_t>& ids, bool cls) {
  std::vector<std::string> labels;
  if (cls) labels.push_back("[CLS]");
  for (const std::int64_t id : ids) labels.push_back(token_label(tokeniser, id));
  return labels;
}

// Weights of a layer of a model's `embedding` and `blocks` for one text.
nn::AttentionWeights weights_of(const models::TokenEmbedding& embedding,
                                const std::vector<nn::TransformerBlock>& blocks, std::int64_t layer,
                                const std::vector<std::int64_t>& ids, bool causal) {
  return nn::attention_weights(blocks, layer, embedding(pack({ids})).vectors, causal);
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0u);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += at + i <= bytes.size() ? digits[group >> (18 - 6 * i) & 63u] : '=';
    }
  }
  return text;
}

// The matrix of one head of weights (heads, N, N).
std::string matrix_text(const Tensor& weights, std::int64_t head) {
  const std::int64_t size = weights.size(1) * weights.size(2);
  return base64({reinterpret_cast<const char*>(weights.data<float>() + head * size),
                 static_cast<std::size_t>(size) * sizeof(float)});
}

// JSON inside of a script element ends at no "</script>" of a token.
std::string data_text(const AttentionMap& map) {
  nlohmann::ordered_json json = {{"tokens", map.tokens}, {"spaced", map.spaced}, {"causal", map.causal}};
  for (std::int64_t head = 0; head < map.weights.softmax.size(0); ++head) {
    nlohmann::ordered_json matrices;
    if (map.weights.kernel.defined()) matrices["kernel"] = matrix_text(map.weights.kernel, head);
    matrices["softmax"] = matrix_text(map.weights.softmax, head);
    json["heads"].push_back(matrices);
  }
  std::string text;
  for (const char c : json.dump()) text += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return text;
}

std::string controls_html(bool kernel) {
  std::string html = "<div class=\"controls\"><span>colours go</span>\n";
  const std::vector<std::pair<const char*, const char*>> scales = {
      {"range", "from the smallest to the largest weight of a matrix"},
      {"matrix", "from 0 to the largest of a matrix"},
      {"row", "from 0 to the largest of each row"},
      {"one", "from 0 to 1"}};
  for (const auto& [value, name] : scales) {
    html += std::string("<label><input type=\"radio\" name=\"scale\" value=\"") + value + "\"" +
            (value == std::string("range") ? " checked" : "") + ">" + name + "</label>\n";
  }
  for (const char* kind : {"kernel", "softmax"}) {
    if (kernel || kind == std::string("softmax")) {
      html += std::string("<span>") + kind + " <i class=\"ramp " + kind + "\"></i></span>\n";
    }
  }
  return html + "</div>\n";
}

}  // namespace

AttentionMap attention_map_of(const TrainedRun& run, const std::string& weights, const std::string& text,
                              std::int64_t layer) {
  const Tokeniser& tokeniser = run.vocabulary.tokeniser;
  const std::vector<std::int64_t> ids = tokeniser.encode(text);
  const auto count = static_cast<std::int64_t>(ids.size());
  if (count == 0) fail("attention-map: the text has no token, at least one wanted");
  if (count > longest_attention_map) {
    fail("attention-map: the text has ", count, " tokens, at most ", longest_attention_map, " wanted");
  }
  AttentionMap map;
  map.spaced = !tokeniser.is_bytes();
  map.causal = true;
  bool cls = false;
  if (run.classifies()) {
    const RowClassifier model = load_classifier(run, weights);
    const models::SequenceEncoder& encoder = model.encoder();
    cls = encoder.embedding.cls.defined();
    map.causal = encoder.causal;
    map.weights = weights_of(encoder.embedding, encoder.blocks, layer, ids, map.causal);
  } else {
    const models::LanguageModel model = load_language_model(run, weights);
    map.weights = weights_of(model.embedding, model.blocks, layer, ids, true);
  }
  map.tokens = token_labels(tokeniser, ids, cls);
  map.title = "Attention in layer " + std::to_string(layer);
  const bool kernel = map.weights.kernel.defined();
  map.summary = "How " + std::to_string(map.tokens.size()) + " tokens look at each other in " +
                std::to_string(map.weights.softmax.size(0)) + " heads of " + run.folder.root().string() +
                ": rows are queries, columns are keys. " +
                (kernel ? "On the left of each pair the weights that kernel attention with the feature map " +
                              run.config.feature_map + " implies, on the right what softmax attention would make of " +
                              "the same queries and keys, which were not trained for it."
                        : "The weights are those of softmax attention.");
  return map;
}

std::string attention_map_html(const AttentionMap& map) {
  std::string body = html_element("h1", map.title) + "\n<p class=\"summary\">" + escape_html(map.summary) + "</p>\n";
  body += controls_html(map.weights.kernel.defined());
  body += "<div class=\"card reading\" id=\"reading\"></div>\n<div class=\"heads\" id=\"heads\"></div>\n";
  body +=
      "<div class=\"tip\" id=\"tip\" hidden></div>\n<noscript>This page draws with a script of its own.</noscript>\n";
  body += "<script type=\"application/json\" id=\"data\">" + data_text(map) + "</script>\n";
  body += std::string("<script>") + attention_map_script + "</script>\n";
  return html_page(map.title, attention_map_style, body);
}

}  // namespace lintel::train
