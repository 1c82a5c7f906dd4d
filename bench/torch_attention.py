#!/usr/bin/env python3
"""Attention alone in PyTorch, for `bench/compare` to set beside `lintel bench attention`.

Queries, keys and values are given; forward and backward with the gradients of all three and of the feature map, the
same formulas as in `torch_step.py`. Prints one JSON object: ms_median, ms_min, peak_rss_mib, torch.
"""
import argparse
import json

import torch
from torch.nn import functional

from torch_step import FeatureMap, causal_kernel_attention, kernel_attention, measured


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feature-map", choices=["softmax", "linear", "glu", "lowrank_glu"], default="glu")
    for name, value in {"kernel-layers": 1, "length": 4000, "batch": 4, "heads": 4, "head-dim": 64, "threads": 2,
                        "repetitions": 5}.items():
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--causal", action="store_true")
    parser.add_argument("--forward-only", action="store_true")
    parser.add_argument("--compile", action="store_true")
    o = parser.parse_args()

    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    q, k, v = (torch.randn(o.batch, o.heads, o.length, o.head_dim, requires_grad=True) for _ in range(3))
    parameters = [q, k, v]
    if o.feature_map == "softmax":
        def attend():
            return functional.scaled_dot_product_attention(q, k, v, is_causal=o.causal)
    else:
        phi = FeatureMap(o.feature_map, o.kernel_layers, o.heads, o.head_dim)
        parameters += phi.parameters()

        def attend():
            return (causal_kernel_attention if o.causal else kernel_attention)(phi(q), phi(k), v)

    run = torch.compile(attend) if o.compile else attend
    upstream = torch.ones_like(v)

    def step():
        with torch.set_grad_enabled(not o.forward_only):
            found = run()
        if not o.forward_only:
            torch.autograd.grad(found, parameters, upstream)

    print(json.dumps(measured(step, o.repetitions)))


if __name__ == "__main__":
    main()
