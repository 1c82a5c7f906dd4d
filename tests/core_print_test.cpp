// The expected texts are what str() of NumPy 2.4 gives for the same numbers.
#include <doctest/doctest.h>

#include <limits>
#include <sstream>

#include <lintel/core/tensor.hpp>

namespace lintel {

namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

std::string printed(const Tensor& x) {
  std::ostringstream out;
  out << x;
  return out.str();
}

Tensor arange_of(const Shape& shape) { return share_buffer(arange(0, shape.size()), shape); }

}  // namespace

TEST_CASE("a float32 shows the digits that identify it, at most eight behind the point") {
  CHECK(printed(Tensor({3}, {1.0f, 0.1f, -2.5f})) == "[ 1.   0.1 -2.5]");
  CHECK(printed(Tensor({2}, {1.0f / 3, 2.0f})) == "[0.33333334 2.        ]");
  CHECK(printed(Tensor({2}, {1.0 / 3, -2.0 / 3})) == "[ 0.33333333 -0.66666667]");
  CHECK(printed(Tensor({3}, {0.0f, -0.0f, 7.0f})) == "[ 0. -0.  7.]");
  CHECK(printed(zeros({2, 2})) ==
        "[[0. 0.]\n"
        " [0. 0.]]");
}

TEST_CASE("numbers that differ too much in size are written in scientific notation") {
  CHECK(printed(Tensor({2}, {1000.0, 1.0})) == "[1000.    1.]");
  CHECK(printed(Tensor({2}, {1001.0, 1.0})) == "[1.001e+03 1.000e+00]");
  CHECK(printed(Tensor({2}, {1e-5f, 0.0f})) == "[1.e-05 0.e+00]");
  CHECK(printed(Tensor({2}, {1e8, 2e8})) == "[1.e+08 2.e+08]");
  CHECK(printed(Tensor({2}, {1e6f, 2e6f})) == "[1.e+06 2.e+06]");
  CHECK(printed(Tensor({3}, {1e-100, -1.5, 1e300})) == "[ 1.0e-100 -1.5e+000  1.0e+300]");
  CHECK(printed(Tensor({2}, {1.0 / 3, 4e7})) == "[3.33333333e-01 4.00000000e+07]");
}

TEST_CASE("infinity and NaN take their place in the common width") {
  CHECK(printed(Tensor({4}, {1.5f, nan, infinity, -infinity})) == "[ 1.5  nan  inf -inf]");
  CHECK(printed(Tensor({2}, {nan, -infinity})) == "[ nan -inf]");
  CHECK(printed(Tensor({2}, {infinity, 12345.75f})) == "[     inf 12345.75]");
  CHECK(printed(Tensor({2}, {infinity, 1e20f})) == "[   inf 1.e+20]");
}

TEST_CASE("integers and truth values line up") {
  CHECK(printed(Tensor({3}, std::vector<std::int64_t>{1, -20, 300})) == "[  1 -20 300]");
  CHECK(printed(convert(Tensor({2, 2}, {1.0f, 0.0f, 2.0f, 3.0f}), DType::boolean)) ==
        "[[ True False]\n"
        " [ True  True]]");
  CHECK(printed(arange(0, 0)) == "[]");
  CHECK(printed(zeros({2, 0})) == "[]");
}

TEST_CASE("a tensor of rank 0 is printed as a number") {
  CHECK(printed(scalar(1.5)) == "1.5");
  CHECK(printed(scalar(0.1)) == "0.1");
  CHECK(printed(scalar(3, DType::float64)) == "3.0");
  CHECK(printed(scalar(1e16, DType::float64)) == "1e+16");
  CHECK(printed(scalar(123456789, DType::float64)) == "123456789.0");
  CHECK(printed(scalar(0.00001, DType::float64)) == "1e-05");
  CHECK(printed(scalar(1e6)) == "1e+06");
  CHECK(printed(scalar(-infinity)) == "-inf");
  CHECK(printed(scalar(-7, DType::int64)) == "-7");
  CHECK(printed(scalar(1, DType::boolean)) == "True");
}

TEST_CASE("matrices are nested in brackets, with an empty line between blocks") {
  CHECK(printed(Tensor({2, 3}, {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.5f})) ==
        "[[1.  2.  3. ]\n"
        " [4.  5.  6.5]]");
  CHECK(printed(arange_of({2, 2, 2})) ==
        "[[[0 1]\n"
        "  [2 3]]\n"
        "\n"
        " [[4 5]\n"
        "  [6 7]]]");
  CHECK(printed(arange_of({2, 1, 2, 2})) ==
        "[[[[0 1]\n"
        "   [2 3]]]\n"
        "\n"
        "\n"
        " [[[4 5]\n"
        "   [6 7]]]]");
}

TEST_CASE("a long row is wrapped at 75 characters") {
  CHECK(printed(arange_of({30})) ==
        "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
        " 24 25 26 27 28 29]");
  CHECK(printed(arange_of({2, 27})) ==
        "[[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"
        "  24 25 26]\n"
        " [27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50\n"
        "  51 52 53]]");
  CHECK(printed(arange_of({1, 1, 24})) ==
        "[[[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22\n"
        "   23]]]");
}

TEST_CASE("more than a thousand elements are summarised") {
  CHECK(printed(arange_of({1001})) == "[   0    1    2 ...  998  999 1000]");
  CHECK(printed(arange_of({40, 30})) ==
        "[[   0    1    2 ...   27   28   29]\n"
        " [  30   31   32 ...   57   58   59]\n"
        " [  60   61   62 ...   87   88   89]\n"
        " ...\n"
        " [1110 1111 1112 ... 1137 1138 1139]\n"
        " [1140 1141 1142 ... 1167 1168 1169]\n"
        " [1170 1171 1172 ... 1197 1198 1199]]");
  CHECK(printed(arange_of({8, 2, 100})) ==
        "[[[   0    1    2 ...   97   98   99]\n"
        "  [ 100  101  102 ...  197  198  199]]\n"
        "\n"
        " [[ 200  201  202 ...  297  298  299]\n"
        "  [ 300  301  302 ...  397  398  399]]\n"
        "\n"
        " [[ 400  401  402 ...  497  498  499]\n"
        "  [ 500  501  502 ...  597  598  599]]\n"
        "\n"
        " ...\n"
        "\n"
        " [[1000 1001 1002 ... 1097 1098 1099]\n"
        "  [1100 1101 1102 ... 1197 1198 1199]]\n"
        "\n"
        " [[1200 1201 1202 ... 1297 1298 1299]\n"
        "  [1300 1301 1302 ... 1397 1398 1399]]\n"
        "\n"
        " [[1400 1401 1402 ... 1497 1498 1499]\n"
        "  [1500 1501 1502 ... 1597 1598 1599]]]");
  CHECK(printed(arange_of({1002, 1})) ==
        "[[   0]\n"
        " [   1]\n"
        " [   2]\n"
        " ...\n"
        " [ 999]\n"
        " [1000]\n"
        " [1001]]");
}

TEST_CASE("bfloat16 is printed as the float32 it stands for") {
  CHECK(printed(convert(Tensor({2}, {1.5f, 0.1f}), DType::bfloat16)) == "[1.5        0.10009766]");
}

TEST_CASE("an undefined tensor can be printed") { CHECK(printed(Tensor()) == "undefined tensor"); }

}  // namespace lintel
