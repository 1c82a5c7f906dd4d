#!/usr/bin/env python3
"""Breaks copies of the repository, one rule at a time, and expects scripts/check-structure to say so.

    tests/structure_test.py [compiler]
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPIED = ["core", "autograd", "ops", "nn", "models", "train", "tools", "tests", "bench", "cmake", "scripts",
          "lintel.hpp", "lintel.cpp"]
GUARD = "#pragma once\n"

# (what must be said, file, text to append to it)
FAULTS = [
    ("core/stray.hpp: in no list", "core/stray.hpp", GUARD),
    ("core/stray.cpp: in no list", "core/stray.cpp", ""),
    ("tests/stray_test.cpp: not in tests/CMakeLists.txt", "tests/stray_test.cpp", ""),
    ("which belongs to a later room", "core/error.hpp", "#include <lintel/autograd/tape.hpp>\n"),
    ("which is no header of a room", "core/isa.cpp", "#include <lintel/core/nothing.hpp>\n"),
    ("our headers are spelt", "core/isa.cpp", '#include "isa.hpp"\n'),
    ("a public header includes the private", "core/isa.hpp", "#include <lintel/core/simd.hpp>\n"),
    ("includes <xsimd/xsimd.hpp>; only", "core/isa.hpp", "#include <xsimd/xsimd.hpp>\n"),
    ("includes <omp.h>; only", "core/isa.hpp", "#include <omp.h>\n"),
    ("includes <immintrin.h>; only", "core/isa.hpp", "#include <immintrin.h>\n"),
    ("vector code is written over simd::vec", "core/isa.cpp", "#include <xmmintrin.h>\n"),
    ("the library uses the standard library only", "core/isa.cpp", "#include <nlohmann/json.hpp>\n"),
    ("a kernel includes <algorithm>", "ops/elementwise.kernel.hpp", "#include <algorithm>\n"),
    ("no #pragma once", "ops/elementwise.kernel.hpp", GUARD),
    ("macro LEAK leaks", "core/isa.cpp", "#define LEAK\n"),
    ("lines; at most 800", "core/isa.cpp", "\n" * 800),
    ("lintel.hpp: does not include exactly", "lintel.hpp", "#include <lintel/core/isa.hpp>\n"),
    ("lintel.cpp: does not include exactly", "lintel.cpp", '#include "core/isa.cpp"\n'),
]

FOREIGN_SYMBOL = "template <class T> T twice(T x) { return x + x; }\ntemplate float twice<float>(float);\n"
OWN_SYMBOL = "namespace lintel::kernels::avx2 { " + FOREIGN_SYMBOL + "}\n"


def copy_repository(folder):
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)


def check(folder, *arguments):
    return subprocess.run([folder / "scripts/check-structure", *arguments], capture_output=True, text=True)


def failures_of_text_rules(folder):
    clean = check(folder)
    if clean.returncode != 0:
        yield f"an unchanged copy has faults:\n{clean.stdout}"
    for wanted, name, addition in FAULTS:
        path = folder / name
        before = path.read_text() if path.exists() else None
        path.write_text((before or "") + addition)
        run = check(folder)
        if run.returncode == 0 or wanted not in run.stdout:
            yield f"{name} was changed; wanted a fault '{wanted}', got:\n{run.stdout}{run.stderr}"
        if before is None:
            path.unlink()
        else:
            path.write_text(before)


def failures_of_build_rules(folder, compiler):
    """A build folder of our own making, whose object for AVX2 holds a symbol that the rule forbids or allows."""
    objects = folder / "build/CMakeFiles/lintel.dir/ops"
    objects.mkdir(parents=True)
    for code, wanted in ((FOREIGN_SYMBOL, True), (OWN_SYMBOL, False)):
        for name in ("baseline", "avx2"):
            subprocess.run([compiler, "-x", "c++", "-c", "-", "-o", objects / f"kernels_{name}.cpp.o"],
                           input=code if name == "avx2" else "", text=True, check=True)
        run = check(folder, "--build", folder / "build", "--compiler", compiler)
        if ("weak symbol outside avx2: float twice<float>(float)" in run.stdout) != wanted:
            yield f"symbol check, with\n{code}\ngot:\n{run.stdout}{run.stderr}"
        if "core/error.hpp: does not compile on its own" not in run.stdout:
            yield f"without forwarding headers nothing compiles, and the check did not say so:\n{run.stdout}{run.stderr}"


def main():
    compiler = sys.argv[1] if len(sys.argv) > 1 else "c++"
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        copy_repository(folder)
        failures = [*failures_of_text_rules(folder), *failures_of_build_rules(folder, compiler)]
    for failure in failures:
        print(failure)
    print(f"{len(FAULTS)} broken copies, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
