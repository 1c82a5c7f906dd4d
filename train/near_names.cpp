#include <lintel/train/near_names.hpp>

#include <algorithm>
#include <cctype>
#include <utility>

namespace lintel::train {
namespace {

std::string plain_letters(std::string_view name) {
  std::string plain(name);
  for (char& c : plain) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return plain;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Three rows of the table distance[i][j] between the first i letters of a and the first j of b.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = a[i - 1] == b[j - 1];
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
      const bool exchanged = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (exchanged) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::vector<std::string> near_names(std::string_view word, const std::vector<std::string>& names) {
  const std::string wanted = plain_letters(word);
  const std::size_t allowed = std::max<std::size_t>(2, wanted.size() / 3);
  std::vector<std::pair<std::size_t, std::string>> found;
  for (const std::string& name : names) {
    const std::string candidate = plain_letters(name);
    const std::size_t distance = edit_distance(wanted, candidate);
    const bool begins = wanted.size() > 1 && candidate.starts_with(wanted);
    // A name of two letters is two edits from any other, hence the comparison with its length.
    if (begins || (distance <= allowed && distance < candidate.size())) found.emplace_back(distance, name);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  if (found.size() > 3) found.resize(3);
  std::vector<std::string> nearest;
  for (auto& [distance, name] : found) nearest.push_back(std::move(name));
  return nearest;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string> nearest = near_names(word, names);
  if (nearest.empty()) return "";
  std::string sentence = "; did you mean " + nearest.front();
  for (std::size_t i = 1; i < nearest.size(); ++i) {
    sentence += (i + 1 == nearest.size() ? " or " : ", ") + nearest[i];
  }
  return sentence + "?";
}

}  // namespace lintel::train
