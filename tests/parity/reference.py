"""The models in plain PyTorch, written from the formulas, with our parameters' names."""
import torch
from torch import nn
from torch.nn import functional


class FeatureLayer(nn.Module):
    def __init__(self, kind, heads, head_dim, bias):
        super().__init__()
        square, rank = (heads, head_dim, head_dim), head_dim // 4
        self.kind, self.bias, self.gate_bias = kind, None, None
        self.weight = nn.Parameter(torch.empty(square))
        if bias:
            self.bias = nn.Parameter(torch.empty(heads, head_dim))
        if kind == "glu":
            self.gate = nn.Parameter(torch.empty(square))
            if bias:
                self.gate_bias = nn.Parameter(torch.empty(heads, head_dim))
        if kind == "lowrank_glu":
            self.down = nn.Parameter(torch.empty(heads, rank, head_dim))
            self.up = nn.Parameter(torch.empty(heads, head_dim, rank))

    def forward(self, x, activation):
        def product(weight, rows, bias=None):
            result = torch.einsum("hoi,thi->tho", weight, rows)
            return result if bias is None else result + bias

        value = activation(product(self.weight, x, self.bias))
        if self.kind == "glu":
            return value * torch.sigmoid(product(self.gate, x, self.gate_bias))
        if self.kind == "lowrank_glu":
            return value * torch.sigmoid(product(self.up, product(self.down, x)))
        return value


class FeatureMap(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layers = nn.ModuleList(
            FeatureLayer(config["feature_map"], config["heads"], config["hidden"] // config["heads"], config["bias"])
            for _ in range(config["layers"]))

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = layer(x, lambda y: y)
        return self.layers[-1](x, functional.softplus)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        hidden, self.heads = config["hidden"], config["heads"]
        self.q, self.k, self.v, self.o = (nn.Linear(hidden, hidden) for _ in range(4))
        self.feature_map = FeatureMap(config) if config["attention"] == "kernel" else None

    def of_sequence(self, q, k, v, causal):
        """q, k, v (N, heads, head_dim) of one sequence; the weights as a matrix, in O(N²)."""
        sees = torch.ones(len(q), len(q), dtype=torch.bool)
        if causal:
            sees = sees.tril()
        if self.feature_map is None:
            scores = torch.einsum("ihd,jhd->hij", q, k) / q.shape[-1] ** 0.5
            weights = scores.masked_fill(~sees, -torch.inf).softmax(-1)
        else:
            weights = torch.einsum("ihd,jhd->hij", self.feature_map(q), self.feature_map(k)) * sees
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-6)
        return torch.einsum("hij,jhd->ihd", weights, v)

    def forward(self, x, offsets, causal):
        q, k, v = (projection(x).unflatten(-1, (self.heads, -1)) for projection in (self.q, self.k, self.v))
        found = [self.of_sequence(q[begin:end], k[begin:end], v[begin:end], causal)
                 for begin, end in zip(offsets, offsets[1:])]
        return self.o(torch.cat(found).flatten(1))


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.up = nn.Linear(config["hidden"], config["mlp"])
        self.down = nn.Linear(config["mlp"], config["hidden"])

    def forward(self, x):
        return self.down(functional.gelu(self.up(x)))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm1 = nn.LayerNorm(config["hidden"], eps=1e-6)
        self.attention = Attention(config)
        self.norm2 = nn.LayerNorm(config["hidden"], eps=1e-6)
        self.feed_forward = FeedForward(config)

    def forward(self, x, offsets, causal):
        x = x + self.attention(self.norm1(x), offsets, causal)
        return x + self.feed_forward(self.norm2(x))


class Embedding(nn.Module):
    def __init__(self, config, cls):
        super().__init__()
        self.tokens = nn.Embedding(config["vocab"], config["hidden"])
        self.positions = nn.Embedding(config["max_length"], config["hidden"])
        self.cls = nn.Parameter(torch.empty(1, config["hidden"])) if cls else None

    def forward(self, ids, offsets):
        sequences = []
        for begin, end in zip(offsets, offsets[1:]):
            tokens = self.tokens(ids[begin:end]) + self.positions(torch.arange(end - begin))
            sequences.append(tokens if self.cls is None else torch.cat([self.cls, tokens]))
        lengths = torch.tensor([0] + [len(sequence) for sequence in sequences])
        return torch.cat(sequences), lengths.cumsum(0).tolist()


class Model(nn.Module):
    def __init__(self, config, cls):
        super().__init__()
        self.embedding = Embedding(config, cls)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config["blocks"]))
        self.norm = nn.LayerNorm(config["hidden"], eps=1e-6)

    def encode(self, ids, offsets, causal):
        x, offsets = self.embedding(ids, offsets)
        for block in self.blocks:
            x = block(x, offsets, causal)
        return self.norm(x), offsets


class Head(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = nn.Linear(config["hidden"], config["mlp"])
        self.out = nn.Linear(config["mlp"], config["classes"])

    def forward(self, pooled):
        return self.out(functional.gelu(self.dense(pooled)))


class Classifier(Model):
    def __init__(self, config):
        super().__init__(config, cls=config["pooling"] == "cls")
        self.pooling = config["pooling"]
        self.head = Head(config)

    def logits_and_loss(self, ids, offsets, labels):
        x, offsets = self.encode(ids, offsets, causal=False)
        sequences = [x[begin:end] for begin, end in zip(offsets, offsets[1:])]
        pooled = [sequence[0] if self.pooling == "cls" else sequence.mean(0) for sequence in sequences]
        logits = self.head(torch.stack(pooled))
        return logits, functional.cross_entropy(logits, labels)


class PairHead(nn.Module):
    def __init__(self, config):
        super().__init__()
        vectors = 4 if config["interaction"] == "nli" else 2
        self.dense1 = nn.Linear(vectors * config["hidden"], config["mlp"])
        self.dense2 = nn.Linear(config["mlp"], config["mlp"] // 2)
        self.out = nn.Linear(config["mlp"] // 2, config["classes"])

    def forward(self, seen):
        return self.out(functional.relu(self.dense2(functional.relu(self.dense1(seen)))))


class DualEncoder(nn.Module):
    """Sequence i of a batch is compared with sequence i from its end."""

    def __init__(self, config):
        super().__init__()
        self.embedding = Embedding(config, cls=True)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config["blocks"]))
        self.head = PairHead(config)
        self.interaction = config["interaction"]

    def logits_and_loss(self, ids, offsets, labels):
        x, offsets = self.embedding(ids, offsets)
        for block in self.blocks:
            x = block(x, offsets, False)
        first = torch.stack([x[begin] for begin in offsets[:-1]])
        second = first.flip(0)
        seen = [first, second] + ([first * second, first - second] if self.interaction == "nli" else [])
        logits = self.head(torch.cat(seen, -1))
        return logits, functional.cross_entropy(logits, labels)


class LanguageModel(Model):
    def __init__(self, config):
        super().__init__(config, cls=False)
        self.head = nn.Linear(config["hidden"], config["vocab"])

    def logits_and_loss(self, ids, offsets, labels):
        x, offsets = self.encode(ids, offsets, causal=True)
        logits = self.head(x)
        predicted = torch.cat([logits[begin:end - 1] for begin, end in zip(offsets, offsets[1:])])
        following = torch.cat([ids[begin + 1:end] for begin, end in zip(offsets, offsets[1:])])
        return logits, functional.cross_entropy(predicted, following)
