// Files of weights: what is written can be read, and what is broken or hostile is refused with a sentence.
#include <doctest/doctest.h>

#include <cstring>
#include <lintel/nn/safetensors.hpp>

#include "file_helpers.hpp"

using namespace lintel;
using namespace lintel_test;

namespace {

/// The bytes of a file with a header of this text, whatever it is worth, and some data.
std::string file_with(const std::string& header, std::size_t data_bytes = 0, char byte = '\0') {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data_bytes, byte);
}

std::string error_of_reading(const std::string& bytes) {
  const TemporaryFolder folder;
  return error_of([&] { read_safetensors(folder.file("weights", bytes)); });
}

std::string error_of_header(const std::string& header, std::size_t data_bytes = 0) {
  return error_of_reading(file_with(header, data_bytes));
}

/// A header entry.
std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + shape + "],\"data_offsets\":[" + offsets + "]}";
}

struct Pair {
  Tensor weight, bias;
  static void visit(auto& self, auto&& f) {
    f("weight", self.weight);
    f("bias", self.bias);
  }
};

Pair pair_of(double value) { return {full({2, 3}, value), full({3}, value, DType::float64)}; }

template <class T>
std::vector<T> values_of(const Tensor& x) {
  return {x.values<T>().begin(), x.values<T>().end()};
}

}  // namespace

TEST_CASE("every type and shape comes back as it was written, with the metadata") {
  const TemporaryFolder folder;
  const Tensor halves = convert(Tensor({2}, {1.5F, -2.0F}), DType::bfloat16);
  write_safetensors(folder.path() / "file",
                    {{"float \"quoted\"\n", Tensor({2, 2}, {1.0F, -0.0F, 3.5F, 1e30F})},
                     {"größe", Tensor({3}, {1.0, 2.0, 1e-300})},
                     {"ids", Tensor({1}, {std::int64_t{-7}})},
                     {"mask", Tensor({3}, {true, false, true})},
                     {"halves", halves},
                     {"scalar", scalar(4)},
                     {"empty", zeros({0, 5})}},
                    {{"format", "pt"}, {"note", "tab\tand \\ and €"}});
  const Safetensors file = read_safetensors(folder.path() / "file");
  REQUIRE(file.tensors.size() == 7);
  CHECK(file.metadata == Metadata{{"format", "pt"}, {"note", "tab\tand \\ and €"}});
  std::map<std::string, Tensor> by_name;
  for (const auto& [name, tensor] : file.tensors) by_name[name] = tensor;
  CHECK(values_of<float>(by_name.at("float \"quoted\"\n")) == std::vector{1.0F, -0.0F, 3.5F, 1e30F});
  CHECK(by_name.at("float \"quoted\"\n").shape() == Shape{2, 2});
  CHECK(values_of<double>(by_name.at("größe")) == std::vector{1.0, 2.0, 1e-300});
  CHECK(values_of<std::int64_t>(by_name.at("ids")) == std::vector{std::int64_t{-7}});
  CHECK(values_of<bool>(by_name.at("mask")) == std::vector{true, false, true});
  CHECK(by_name.at("halves").dtype() == DType::bfloat16);
  CHECK(values_of<float>(convert(by_name.at("halves"), DType::float32)) == std::vector{1.5F, -2.0F});
  CHECK(by_name.at("scalar").shape() == Shape{});
  CHECK(by_name.at("scalar").item() == 4);
  CHECK(by_name.at("empty").shape() == Shape{0, 5});
}

TEST_CASE("every element lies at a multiple of its size, so that readers can map the file") {
  const TemporaryFolder folder;
  write_safetensors(folder.path() / "file", {{"mask", Tensor({3}, {true, false, true})}, {"wide", Tensor({1}, {1.0})}});
  const std::string bytes = bytes_of(folder.path() / "file");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  CHECK(length % 8 == 0);
  CHECK(bytes.substr(8, length).find(R"("wide":{"dtype":"F64","shape":[1],"data_offsets":[0,8]})") !=
        std::string::npos);
  CHECK(bytes.size() == 8 + length + 8 + 3);
}

TEST_CASE("a header of another writer is read: other order of keys, escapes, white space") {
  const TemporaryFolder folder;
  const std::string header =
      "{ \"\\u0061\\ud83d\\ude00\\/\" : {\"data_offsets\":[ 0 , 4 ],\n\"shape\":[],\t\"dtype\":\"F32\"}, "
      "\"__metadata__\":{}}  \r\n";
  const Safetensors file = read_safetensors(folder.file("file", file_with(header, 4)));
  REQUIRE(file.tensors.size() == 1);
  CHECK(file.tensors[0].name == "a😀/");
  CHECK(file.tensors[0].tensor.item() == 0);
}

TEST_CASE("a file without tensors is read") {
  const TemporaryFolder folder;
  CHECK(read_safetensors(folder.file("file", file_with("{}"))).tensors.empty());
}

TEST_CASE("a missing file, a folder and an empty file are refused") {
  const TemporaryFolder folder;
  CHECK(contains(error_of([&] { read_safetensors(folder.path() / "none"); }), "cannot open: No such file"));
  CHECK(contains(error_of([&] { read_safetensors(folder.path()); }), "cannot open: Is a directory"));
  CHECK(contains(error_of_reading(""), "has 0 bytes, a header length of 8 bytes wanted"));
  CHECK(contains(error_of_reading("1234567"), "has 7 bytes, a header length of 8 bytes wanted"));
}

TEST_CASE("a header length beyond the file or beyond all reason is refused") {
  CHECK(contains(error_of_reading(file_with("{}").substr(0, 9)), "tells a header of 2 bytes, but only 1 follow"));
  CHECK(contains(error_of_reading(std::string(8, '\xFF') + "{}"), "at most 100000000 wanted"));
  CHECK(
      contains(error_of_reading(std::string("\x00\xE1\xF5\x05\0\0\0\0", 8)), "tells a header of 100000000 bytes, but"));
}

TEST_CASE("every truncation of a good file is refused") {
  const TemporaryFolder folder;
  save(pair_of(1), folder.path() / "file", {{"key", "value"}});
  const std::string bytes = bytes_of(folder.path() / "file");
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    CHECK_FALSE(error_of_reading(bytes.substr(0, length)).empty());
  }
}

TEST_CASE("every flipped byte of a header is either refused or changes no more than what it says") {
  const TemporaryFolder folder;
  save(pair_of(1), folder.path() / "file");
  const std::string bytes = bytes_of(folder.path() / "file");
  const std::size_t header_end = bytes.size() - pair_of(1).weight.bytes() - pair_of(1).bias.bytes();
  for (std::size_t i = 0; i < header_end; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string broken = bytes;
      broken[i] = static_cast<char>(broken[i] ^ (1 << bit));
      try {
        CHECK(read_safetensors(folder.file("broken", broken)).tensors.size() <= 2);
      } catch (const Error&) {
        // Refused: fine. Anything else that is thrown fails the test.
      }
    }
  }
}

TEST_CASE("text that is not the JSON of a header is refused, with the byte") {
  CHECK(contains(error_of_header(""), "byte 0: got the end, wanted \"{\""));
  CHECK(contains(error_of_header("[]"), "byte 0: got \"[\", wanted \"{\""));
  CHECK(contains(error_of_header("{\"a\""), "byte 4: got the end, wanted \":\""));
  CHECK(contains(error_of_header("{} {}"), "byte 3: something follows the end of the object"));
  CHECK(contains(error_of_header("{\"a"), "a string has no end"));
  CHECK(contains(error_of_header("{\"a\\"), "a string has no end"));
  CHECK(contains(error_of_header("{\"a\\x\":{}}"), "unknown escape"));
  CHECK(contains(error_of_header("{\"\\u12g4\":{}}"), "four hexadecimal digits wanted"));
  CHECK(contains(error_of_header("{\"\\ud800\":{}}"), "half a surrogate pair"));
  CHECK(contains(error_of_header("{\"\\udc00\":{}}"), "half a surrogate pair"));
  CHECK(contains(error_of_header("{\"\\ud800\\u0041\":{}}"), "half a surrogate pair"));
  CHECK(contains(error_of_header("{\"a\nb\":{}}"), "a control character in a string"));
  CHECK(contains(error_of_header("{\"__metadata__\":{},}"), "wanted \"\\\"\""));
  CHECK(contains(error_of_header("{\"a\":é}"), "got \"é\", wanted \"{\""));
  CHECK(contains(error_of_header("{" + std::string(200000, '[')), "wanted"));
}

TEST_CASE("a header that is not UTF-8 is refused") {
  CHECK(contains(error_of_header("{\"\xC3\x28\":{}}"), "byte 2 is not UTF-8"));
  CHECK(contains(error_of_header("{\"\xED\xA0\x80\":{}}"), "byte 2 is not UTF-8"));
}

TEST_CASE("numbers of a header are whole, not negative and fit 64 bits") {
  CHECK(contains(error_of_header("{" + entry("a", "F32", "-1", "0,4") + "}", 4), "a whole number from 0 wanted"));
  CHECK(contains(error_of_header("{" + entry("a", "F32", "1.0", "0,4") + "}", 4), "a whole number from 0 wanted"));
  CHECK(contains(error_of_header("{" + entry("a", "F32", "1e0", "0,4") + "}", 4), "a whole number from 0 wanted"));
  CHECK(contains(error_of_header("{" + entry("a", "F32", "01", "0,4") + "}", 4), "a whole number from 0 wanted"));
  CHECK(contains(error_of_header("{" + entry("a", "F32", "9223372036854775808", "0,4") + "}", 4),
                 "too large for 64 bits"));
}

TEST_CASE("a shape whose product or bytes overflow is refused") {
  CHECK(contains(error_of_header("{" + entry("a", "F32", "4294967296,4294967296", "0,4") + "}", 4), "overflow"));
  CHECK(contains(error_of_header("{" + entry("a", "F64", "2305843009213693952", "0,8") + "}", 8), "overflows 64 bits"));
  CHECK(contains(error_of_header("{" + entry("a", "F32", "1,1,1,1,1,1,1,1,1", "0,4") + "}", 4), "more than 8 numbers"));
}

TEST_CASE("a type that Lintel does not hold is refused") {
  CHECK(contains(error_of_header("{" + entry("a", "F16", "2", "0,4") + "}", 4),
                 "tensor \"a\": dtype \"F16\" is not one of F32, F64, I64, BOOL, BF16"));
}

TEST_CASE("an entry with a missing, unknown or doubled key is refused") {
  CHECK(contains(error_of_header(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "some are missing"));
  CHECK(contains(error_of_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4), "some are missing"));
  CHECK(contains(error_of_header(R"({"a":{"dtype":"F32","strides":[1]}})", 4), "unknown key \"strides\""));
  CHECK(contains(error_of_header(R"({"a":{"dtype":"F32","dtype":"F32"}})", 4), "the key \"dtype\" occurs twice"));
  CHECK(contains(error_of_header("{" + entry("a", "F32", "1", "0,4") + "," + entry("a", "F32", "1", "4,8") + "}", 8),
                 "the key \"a\" occurs twice"));
  CHECK(contains(error_of_header(R"({"__metadata__":{"a":1}})"), "wanted \"\\\"\""));
  CHECK(contains(error_of_header(R"({"__metadata__":{"a":"1","a":"2"}})"), "the key \"a\" occurs twice"));
}

TEST_CASE("offsets out of range, reversed or of another size than the shape are refused") {
  CHECK(contains(error_of_header("{" + entry("a", "F32", "2", "0,8") + "}", 4),
                 "tensor \"a\": lies from byte 0 to 8 of 4 bytes of data"));
  CHECK(contains(error_of_header("{" + entry("a", "F32", "1", "4,0") + "}", 4), "lies from byte 4 to 0"));
  CHECK(contains(error_of_header("{" + entry("a", "F32", "2", "0,4") + "}", 4),
                 "has 4 bytes, float32 of shape (2,) wants 8"));
}

TEST_CASE("tensors that overlap, leave a hole or do not reach the end of the file are refused") {
  const std::string first = entry("a", "F32", "2", "0,8");
  CHECK(contains(error_of_header("{" + first + "," + entry("b", "F32", "2", "4,12") + "}", 12),
                 "tensor \"b\" overlaps the one before it"));
  CHECK(
      contains(error_of_header("{" + first + "," + entry("b", "F32", "2", "0,8") + "}", 8), "overlaps the one before"));
  CHECK(contains(error_of_header("{" + first + "," + entry("b", "F32", "1", "12,16") + "}", 16),
                 "bytes 8 to 12 of the data belong to no tensor"));
  CHECK(contains(error_of_header("{" + first + "}", 9), "bytes 8 to 9 of the data belong to no tensor"));
  CHECK(contains(error_of_header("{}", 1), "bytes 0 to 1 of the data belong to no tensor"));
}

TEST_CASE("a byte that is no bool is refused") {
  CHECK(contains(error_of_reading(file_with("{" + entry("a", "BOOL", "1", "0,1") + "}", 1, '\x02')),
                 "tensor \"a\": holds the byte 2 as a BOOL, 0 or 1 wanted"));
}

TEST_CASE("a name from a hostile file is escaped and cut in a message") {
  const std::string sentence = error_of_header("{\"\\u001b[2J" + std::string(1000, 'x') + "\":{}}");
  CHECK(contains(sentence, "\"\\u001b[2Jxxx"));
  CHECK(sentence.size() < 400);
}

TEST_CASE("what cannot be written is refused before a file appears") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "file";
  CHECK(contains(error_of([&] {
                   write_safetensors(path, {{"a", scalar(1)}, {"a", scalar(1)}});
                 }),
                 "two tensors are called \"a\""));
  CHECK(contains(error_of([&] { write_safetensors(path, {{"\xFF", scalar(1)}}); }), "name is not UTF-8"));
  CHECK(contains(error_of([&] { write_safetensors(path, {{"__metadata__", scalar(1)}}); }), "no tensor may be called"));
  CHECK(contains(error_of([&] { write_safetensors(path, {{"a", Tensor()}}); }), "tensor \"a\" is undefined"));
  CHECK(contains(error_of([&] { write_safetensors(path, {}, {{"a", "\xFF"}}); }), "the metadata is not UTF-8"));
  CHECK(folder.names().empty());
}

TEST_CASE("a module is saved and loaded, and its tensors keep their identities") {
  const TemporaryFolder folder;
  save(pair_of(3), folder.path() / "file");
  Pair pair = pair_of(0);
  const std::uint64_t id = pair.weight.id();
  load(pair, folder.path() / "file");
  CHECK(values_of<float>(pair.weight) == std::vector<float>(6, 3.0F));
  CHECK(values_of<double>(pair.bias) == std::vector<double>(3, 3.0));
  CHECK(pair.weight.id() == id);
}

TEST_CASE("a file of another model is refused, and the module stays as it was") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "file";
  write_safetensors(path, {{"weight", full({3, 2}, 1)}, {"scale", scalar(1)}});
  Pair pair = pair_of(0);
  const std::string sentence = error_of([&] { load(pair, path); });
  CHECK(contains(sentence, "\"weight\" is float32 (3, 2), float32 (2, 3) wanted"));
  CHECK(contains(sentence, "missing \"bias\""));
  CHECK(contains(sentence, "unexpected \"scale\""));

  write_safetensors(path, {{"weight", full({2, 3}, 1)}, {"bias", full({3}, 1)}});
  CHECK(contains(error_of([&] { load(pair, path); }), "\"bias\" is float32 (3,), float64 (3,) wanted"));
  CHECK(values_of<float>(pair.weight) == std::vector<float>(6, 0.0F));
}

TEST_CASE("the complaint about a file of quite another model stays a sentence") {
  std::vector<NamedTensor> many;
  for (int i = 0; i < 1000; ++i) many.push_back({"tensor" + std::to_string(i), scalar(0)});
  const std::string sentence = error_of([&] { copy_by_name(many, {}, "load"); });
  CHECK(contains(sentence, "and 997 more"));
  CHECK(sentence.size() < 200);
}
