#include <iomanip>
#include <lintel/autograd/views.hpp>
#include <map>
#include <sstream>

namespace lintel {
namespace views_detail {

/// Gives every tensor of a tape a short name: the one it is watched under, else a number in order of appearance.
class ShortNames {
 public:
  explicit ShortNames(const Tape& tape) : tape_(tape) {}

  const std::string& of(std::uint64_t id) {
    std::string& name = names_[id];
    if (name.empty()) {
      name = tape_.name_of(id);
      if (name.empty()) name = "%" + std::to_string(++unnamed_);
    }
    return name;
  }

 private:
  const Tape& tape_;
  std::map<std::uint64_t, std::string> names_;
  int unnamed_ = 0;
};

std::string joined(const std::vector<TensorInfo>& tensors, ShortNames& names) {
  std::string text;
  for (const TensorInfo& tensor : tensors) {
    if (!text.empty()) text += ", ";
    text += tensor.id == 0 ? "none" : names.of(tensor.id);
  }
  return text;
}

std::string type_and_shape(const TensorInfo& tensor) {
  std::ostringstream text;
  text << tensor.dtype << ' ' << tensor.shape;
  return text.str();
}

/// "1.5 MiB", exact below one KiB.
std::string readable_bytes(std::size_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  std::ostringstream text;
  const bool large = bytes >= 1024 * 1024;
  text << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / (large ? 1048576.0 : 1024.0)
       << (large ? " MiB" : " KiB");
  return text.str();
}

std::size_t bytes_kept(const Record& record) {
  std::map<const void*, std::size_t> buffers;
  for (const auto* saved : {&record.saved, &record.definition_inputs}) {
    for (const SavedTensor& kept : *saved) buffers[kept.tensor.buffer()] = kept.tensor.bytes();
  }
  std::size_t bytes = 0;
  for (const auto& [buffer, size] : buffers) bytes += size;
  return bytes;
}

/// `text` as the inside of a quoted string of Graphviz.
std::string quoted(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

}  // namespace views_detail

std::string to_text(const Tape& tape) {
  using namespace views_detail;
  ShortNames names(tape);
  std::vector<std::pair<std::string, std::string>> lines;  // the statement, and what is said about it
  std::size_t widest = 0;
  for (const Record& record : tape.records()) {
    const std::string arguments = joined(record.inputs, names);
    const std::string statement = joined(record.outputs, names) + " = " + record.op + "(" + arguments + ")";
    std::string remark = type_and_shape(record.outputs.front());
    const std::size_t kept = bytes_kept(record);
    if (kept > 0) remark += ", keeps " + readable_bytes(kept);
    if (!record.layer.empty()) remark += "  # " + record.layer;
    widest = std::max(widest, statement.size());
    lines.emplace_back(statement, remark);
  }
  std::ostringstream text;
  text << "tape: " << tape.watched().size() << " watched, " << lines.size() << " records, keeps "
       << readable_bytes(tape.saved_bytes()) << '\n';
  for (const auto& [statement, remark] : lines) {
    text << "  " << std::left << std::setw(static_cast<int>(widest)) << statement << "  " << remark << '\n';
  }
  return text.str();
}

std::string to_dot(const Tape& tape) {
  using namespace views_detail;
  ShortNames names(tape);
  std::ostringstream text;
  text << "digraph tape {\n  rankdir=LR;\n";
  for (const Tensor& x : tape.watched()) {
    const TensorInfo info{x.id(), x.shape(), x.dtype()};
    text << "  t" << x.id() << " [shape=oval, label=" << quoted(names.of(x.id()) + " " + type_and_shape(info))
         << "];\n";
  }
  std::map<std::uint64_t, std::size_t> producer;
  for (std::size_t i = 0; i < tape.records().size(); ++i) {
    const Record& record = tape.records()[i];
    const std::string where = record.layer.empty() ? "" : " in " + record.layer;
    text << "  r" << i << " [shape=box, label=" << quoted(record.op + where) << "];\n";
    for (const TensorInfo& input : record.inputs) {
      if (input.id == 0) continue;
      const auto found = producer.find(input.id);
      if (found != producer.end()) {
        text << "  r" << found->second << " -> r" << i << " [label=" << quoted(type_and_shape(input)) << "];\n";
      } else if (tape.watches(input.id)) {
        text << "  t" << input.id << " -> r" << i << ";\n";
      }
    }
    for (const TensorInfo& output : record.outputs) producer[output.id] = i;
  }
  text << "}\n";
  return text.str();
}

std::ostream& operator<<(std::ostream& out, const Tape& tape) { return out << to_text(tape); }

}  // namespace lintel
