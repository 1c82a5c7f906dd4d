// BLEU and its words, against sacreBLEU 2.6.0 (sacrebleu.corpus_bleu and Tokenizer13a with their defaults).
#include <doctest/doctest.h>

#include <lintel/train/bleu.hpp>
#include <lintel/train/tokenise_13a.hpp>
#include <lintel/train/word_split.hpp>

#include "file_helpers.hpp"

using namespace lintel::train;
using namespace lintel_test;

namespace {

using Texts = std::vector<std::string>;

/// The words of `line` with a space between.
std::string cut(const std::string& line) {
  std::string words;
  for (const std::string& word : tokenise_13a(line)) words += (words.empty() ? "" : " ") + word;
  return words;
}

}  // namespace

TEST_CASE("13a cuts lines where sacreBLEU does") {
  CHECK(cut("Hello, world. It's 3.5 o'clock - or 10-12!") == "Hello , world . It's 3.5 o'clock - or 10 - 12 !");
  CHECK(cut("A &quot;quoted&quot; &amp;lt; word...") == "A \" quoted \" < word . . .");
  CHECK(cut("$1,000.00, e.g. a.b,c") == "$ 1,000.00 , e . g . a . b , c");
  CHECK(cut("x_y #tag @home 50% (a+b)/c=[d]{e}~f^g`h|i\\j<k>?") ==
        "x _ y # tag @ home 50 % ( a + b ) / c = [ d ] { e } ~ f ^ g ` h | i \\ j < k > ?");
  CHECK(cut("Zwei junge weiße Männer: „ja“, 7-jährig .5 5. ,,") ==
        "Zwei junge weiße Männer : „ja“ , 7 - jährig . 5 5 . , ,");
  CHECK(cut(" t-shirt 2-piece ...") == "t-shirt 2 - piece . . .");
  CHECK(cut("1.,2 .,. 3,.4-5--6") == "1 . , 2 . , . 3 , . 4 - 5 - -6");
  CHECK(cut("Nummer\u00a028,\u3000x\u2009y\u200bz") == "Nummer 28 , x y\u200bz");
  CHECK(cut("  \t ").empty());
  CHECK(cut("").empty());
}

TEST_CASE("words that 13a has cut and a space joined are cut the same way again") {
  for (const char* line :
       {"Two young, White males are outside near many bushes.", "A man (left) says: \"3.5%, e.g.\""}) {
    CHECK(cut(cut(line)) == cut(line));
  }
  CHECK(split_words("It's a dog.", WordSplit::mteval_13a) == Texts{"It's", "a", "dog", "."});
  CHECK(word_split_named("13a") == WordSplit::mteval_13a);
}

TEST_CASE("BLEU of a corpus is what sacreBLEU gives") {
  const auto close = [](double value) { return doctest::Approx(value).epsilon(1e-12); };
  CHECK(corpus_bleu({"The cat sat on the mat.", "A man is riding a bike down the street .", "Two dogs"},
                    {"The cat is on the mat.", "A man rides a bike down the street.", "Two dogs run."}) ==
        close(52.96890167389639));
  CHECK(corpus_bleu({"It costs $1,000.50 - really?", "He said: \"no\"."},
                    {"It cost $1,000.50, really!", "He says \"no\" ."}) == close(27.05411345269698));
  CHECK(corpus_bleu({"The quick brown fox jumps over the lazy dog today"},
                    {"The quick brown fox jumped over the lazy dog"}) == close(52.53819788848316));
  CHECK(corpus_bleu({"A man in a blue shirt."}, {"A man in a blue shirt."}) == close(100));
}

TEST_CASE("an n-gram counts as often as the reference has it, and lengths without a match are smoothed") {
  const auto close = [](double value) { return doctest::Approx(value).epsilon(1e-12); };
  CHECK(corpus_bleu({"the the the the the the the"}, {"the cat is on the mat"}) == close(7.809849842300637));
  CHECK(corpus_bleu({"a b c d x y"}, {"a b q d z w"}) == close(17.965205598154213));
}

TEST_CASE("BLEU is 0 where nothing matches or nothing is long enough, and refuses what does not correspond") {
  CHECK(corpus_bleu({"one two"}, {"three four"}) == 0);
  CHECK(corpus_bleu({"a b"}, {"a b"}) == 0);
  CHECK(corpus_bleu({""}, {"a b"}) == 0);
  CHECK(contains(error_of([] { corpus_bleu({"a"}, {}); }), "bleu: 1 translations and 0 references"));
  CHECK(contains(error_of([] { corpus_bleu({}, {}); }), "bleu: 0 translations"));
}
