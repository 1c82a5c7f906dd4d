#!/usr/bin/env python3
"""Products of matrices in PyTorch, for `bench/compare` to set beside `lintel bench matmul`.

C = op(A) op(B) of float32 numbers, with op(A) (m, k), op(B) (k, n) and C (m, n), `batch` of them behind each other; C is
there already. Prints one JSON object: ms_median, ms_min, peak_rss_mib, torch.
"""
import argparse
import json

import torch

from torch_step import measured


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in {"m": 1024, "n": 1024, "k": 1024, "batch": 1, "threads": 2, "repetitions": 15}.items():
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--transpose-a", action="store_true")
    parser.add_argument("--transpose-b", action="store_true")
    o = parser.parse_args()

    torch.set_num_threads(o.threads)

    def operand(rows, columns, transposed):
        x = torch.ones(o.batch, *((columns, rows) if transposed else (rows, columns)))
        x = x.transpose(1, 2) if transposed else x
        return x[0] if o.batch == 1 else x

    a, b = operand(o.m, o.k, o.transpose_a), operand(o.k, o.n, o.transpose_b)
    c = operand(o.m, o.n, False)
    print(json.dumps(measured(lambda: torch.matmul(a, b, out=c), o.repetitions)))


if __name__ == "__main__":
    main()
