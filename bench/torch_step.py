#!/usr/bin/env python3
"""One training step in PyTorch, for `bench/compare` to set beside `lintel bench step`.

The same model from the same options: learned positions, pre-norm blocks, GELU, one linear head; kernel attention with a
feature map per head (softplus last) or softmax attention; forward, backward and AdamW, float32, no dropout. Prints one
JSON object: ms_median, ms_min, peak_rss_mib, parameters, torch.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from torch import nn
from torch.nn import functional


class FeatureMap(nn.Module):
    """(B, H, N, d) to positive features of the same shape."""

    def __init__(self, kind, layers, heads, size):
        super().__init__()
        rank = size // 4

        def weights(*shape):
            return nn.ParameterList(nn.Parameter(torch.randn(heads, *shape) / shape[-1] ** 0.5) for _ in range(layers))

        self.kind, self.value = kind, weights(size, size)
        if kind == "glu":
            self.gate = weights(size, size)
        if kind == "lowrank_glu":
            self.down, self.up = weights(rank, size), weights(size, rank)

    def forward(self, x):
        for i, weight in enumerate(self.value):
            y = torch.matmul(x, weight.mT)
            if i + 1 == len(self.value):
                y = functional.softplus(y)
            if self.kind == "glu":
                y = y * torch.sigmoid(torch.matmul(x, self.gate[i].mT))
            elif self.kind == "lowrank_glu":
                y = y * torch.sigmoid(torch.matmul(torch.matmul(x, self.down[i].mT), self.up[i].mT))
            x = y
        return x


def kernel_attention(q, k, v):
    state, total = k.mT @ v, k.sum(-2, keepdim=True)
    return (q @ state) / ((q * total).sum(-1, keepdim=True) + 1e-6)


def causal_kernel_attention(q, k, v, chunk=64):
    """Chunk by chunk: what came before through the running state, the chunk itself by its triangle of weights."""
    length = q.shape[-2]
    fill = (0, 0, 0, -length % chunk)
    v = torch.cat([v, torch.ones_like(v[..., :1])], -1)
    q, k, v = (functional.pad(x, fill).unflatten(-2, (-1, chunk)) for x in (q, k, v))
    states = k.mT @ v
    before = states.cumsum(2) - states
    sums = (q @ before + (q @ k.mT).tril() @ v).flatten(2, 3)[:, :, :length]
    return sums[..., :-1] / (sums[..., -1:] + 1e-6)


class Attention(nn.Module):
    def __init__(self, o, causal):
        super().__init__()
        self.heads, self.causal = o.heads, causal
        self.q, self.k, self.v, self.out = (nn.Linear(o.hidden, o.hidden) for _ in range(4))
        kernel = o.attention in ("linear", "glu", "lowrank_glu")
        self.map = FeatureMap(o.attention, o.kernel_layers, o.heads, o.hidden // o.heads) if kernel else None

    def forward(self, x):
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        if self.map is None:
            found = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        elif self.causal:
            found = causal_kernel_attention(self.map(q), self.map(k), v)
        else:
            found = kernel_attention(self.map(q), self.map(k), v)
        return self.out(found.transpose(1, 2).flatten(-2))


class Block(nn.Module):
    def __init__(self, o, causal):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(o.hidden, eps=1e-6) for _ in range(2))
        self.attention = Attention(o, causal)
        self.up, self.down = nn.Linear(o.hidden, o.mlp), nn.Linear(o.mlp, o.hidden)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Model(nn.Module):
    def __init__(self, o):
        super().__init__()
        self.causal = o.task == "lm"
        self.tokens = nn.Embedding(o.vocab, o.hidden)
        self.positions = nn.Parameter(torch.zeros(o.length, o.hidden))
        self.blocks = nn.ModuleList(Block(o, self.causal) for _ in range(o.blocks))
        self.norm = nn.LayerNorm(o.hidden, eps=1e-6)
        self.head = nn.Linear(o.hidden, o.vocab if self.causal else 2)

    def forward(self, ids):
        x = self.tokens(ids) + self.positions
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        return self.head(x if self.causal else x.mean(1))


def vector_classifier(o):
    """A network so small that all but the arithmetic shows."""
    return nn.Sequential(nn.Linear(o.hidden, o.mlp), nn.ReLU(), nn.Linear(o.mlp, o.hidden), nn.ReLU(),
                         nn.Linear(o.hidden, 4))


def measured(step, repetitions):
    """What both scripts tell of repetitions of `step`, after two more."""
    milliseconds = []
    for index in range(repetitions + 2):
        begin = time.perf_counter()
        step()
        if index >= 2:
            milliseconds.append(1e3 * (time.perf_counter() - begin))
    return {"ms_median": round(statistics.median(milliseconds), 3), "ms_min": round(min(milliseconds), 3),
            "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10, "torch": torch.__version__}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=["classify", "lm", "mlp"], default="classify")
    parser.add_argument("--attention", choices=["softmax", "linear", "glu", "lowrank_glu"], default="glu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    for name, value in {"kernel-layers": 1, "length": 4000, "batch": 4, "hidden": 256, "mlp": 1024, "heads": 4,
                        "blocks": 4, "vocab": 256, "threads": 2, "steps": 5}.items():
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--forward-only", action="store_true")
    parser.add_argument("--compile", action="store_true")
    o = parser.parse_args()

    torch.set_num_threads(o.threads)
    torch.manual_seed(0)
    model = vector_classifier(o) if o.task == "mlp" else Model(o)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    inputs = torch.randn(o.batch, o.hidden) if o.task == "mlp" else torch.randint(o.vocab, (o.batch, o.length))
    classes = {"classify": 2, "lm": o.vocab, "mlp": 4}[o.task]
    labels = torch.randint(classes, (o.batch, o.length) if o.task == "lm" else (o.batch,))
    run = torch.compile(model) if o.compile else model

    def step():
        with torch.autocast("cpu", torch.bfloat16, enabled=o.dtype == "bfloat16"), torch.set_grad_enabled(
                not o.forward_only):
            loss = functional.cross_entropy(run(inputs).flatten(0, -2), labels.flatten())
        if not o.forward_only:
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()

    print(json.dumps({**measured(step, o.steps), "parameters": sum(p.numel() for p in model.parameters())}))


if __name__ == "__main__":
    main()
