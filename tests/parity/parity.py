#!/usr/bin/env python3
"""Compares Lintel with PyTorch: the same weights give the same logits, loss and gradients, in float32.

    tests/parity/parity.py PARITY_MODEL

PARITY_MODEL is the executable built from parity_model.cpp. Needs torch and numpy; without them it says so and ends with
exit code 77. Weights and batches are random with a fixed seed, so that no parameter is zero and no gradient trivial.
"""
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
except ImportError as error:
    print(f"SKIPPED: {error}; `pip install torch numpy` for the comparison with PyTorch", file=sys.stderr)
    sys.exit(77)

import reference
import safetensors_file

TOLERANCE = 1e-4

SIZES = {"vocab": 23, "classes": 5, "max_length": 150, "hidden": 64, "mlp": 96, "heads": 4, "blocks": 2}
LENGTHS = [1, 150, 2, 65, 37]  # one token, the longest, and both sides of a chunk of 64

SOFTMAX = {"attention": "softmax"}


def kernel(feature_map, layers, bias=False):
    return {"attention": "kernel", "feature_map": feature_map, "layers": layers, "bias": bias}


ATTENTIONS = [kernel("linear", 1), kernel("linear", 2, bias=True), kernel("glu", 1), kernel("glu", 2, bias=True),
              kernel("lowrank_glu", 3), kernel("lowrank_glu", 1, bias=True), SOFTMAX]


def randomise(model):
    """Weights of a size that keeps activations near 1, norms' weights near 1, everything else small but not zero."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight") and parameter.dim() == 1:
                parameter.normal_(1, 0.1)
            elif parameter.dim() == 1 or "bias" in name:
                parameter.normal_(0, 0.1)
            else:
                parameter.normal_(0, parameter.shape[-1] ** -0.5)


def arrays(named_tensors, prefix):
    return {prefix + name: tensor.detach().numpy().copy() for name, tensor in named_tensors}


def run_ours(executable, tensors, metadata):
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder, "input"), pathlib.Path(folder, "output")
        safetensors_file.write(source, tensors, {key: str(int(value) if isinstance(value, bool) else value)
                                                 for key, value in metadata.items()})
        subprocess.run([executable, source, target], check=True)
        return safetensors_file.read(target)


def worst_errors(ours, theirs, scales):
    """For each name the largest difference, relative to the tensor's largest element or to what `scales` has for it."""
    if ours.keys() != theirs.keys():
        sys.exit(f"FAILED: names differ: {sorted(ours.keys() ^ theirs.keys())}")
    errors = {}
    for name, wanted in theirs.items():
        if ours[name].shape != wanted.shape:
            sys.exit(f"FAILED: {name} has shape {ours[name].shape}, PyTorch's {wanted.shape}")
        scale = scales.get(name, numpy.abs(wanted).max())
        errors[name] = numpy.abs(ours[name] - wanted).max() / scale  # NaN where either is NaN
    return errors


def report(title, errors):
    worst = max(errors, key=lambda name: (numpy.isnan(errors[name]), errors[name]))
    passed = errors[worst] <= TOLERANCE
    print(f"{'ok    ' if passed else 'FAILED'} {title:<58} worst {errors[worst]:.1e} ({worst})", flush=True)
    return passed


def compare_model(executable, title, make_model, config):
    torch.manual_seed(1)
    model = make_model(config)
    randomise(model)
    offsets = numpy.concatenate([[0], numpy.cumsum(LENGTHS)])
    ids = torch.randint(config["vocab"], (int(offsets[-1]),))
    labels = torch.randint(config["classes"], (len(LENGTHS),))
    logits, loss = model.logits_and_loss(ids, offsets.tolist(), labels)
    loss.backward()
    theirs = {"logits": logits.detach().numpy(), "loss": loss.detach().numpy()}
    theirs |= {f"gradients.{name}": parameter.grad.numpy() for name, parameter in model.named_parameters()}
    batch = {"batch.ids": ids.numpy(), "batch.offsets": offsets, "batch.labels": labels.numpy()}
    ours = run_ours(executable, arrays(model.named_parameters(), "weights.") | batch, config)
    # The bias of softmax attention's keys shifts all scores of a query alike, so its true gradient is 0 and what both
    # compute is rounding. It is compared with the gradient of the keys' weight instead of its own.
    scales = {}
    if config["attention"] == "softmax":
        for name in theirs:
            if name.endswith("attention.k.bias"):
                scales[name] = numpy.abs(theirs[name.replace("bias", "weight")]).max()
    return report(title, worst_errors(ours, theirs, scales))


def compare_optimiser(executable, title, make_optimiser, config):
    torch.manual_seed(1)
    names = ["weight", "bias"]
    parameters = [torch.nn.Parameter(torch.randn(shape)) for shape in ((40, 30), (7,))]
    tensors = arrays(zip(names, parameters), "start.")
    optimiser = make_optimiser(parameters)
    for step in range(config["steps"]):
        for parameter in parameters:
            parameter.grad = torch.randn_like(parameter)
        tensors |= arrays(zip(names, (parameter.grad for parameter in parameters)), f"gradients.{step}.")
        optimiser.step()
    ours = run_ours(executable, tensors, config)
    return report(title, worst_errors(ours, arrays(zip(names, parameters), "result."), {}))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    executable = sys.argv[1]
    passed = []
    for attention in ATTENTIONS:
        described = " ".join(f"{key}={value}" for key, value in attention.items() if key != "attention") or "softmax"
        for pooling in ("cls", "mean"):
            config = SIZES | attention | {"task": "classifier", "pooling": pooling}
            passed.append(compare_model(executable, f"classifier {pooling} {described}", reference.Classifier, config))
        for interaction in ("none", "nli"):
            config = SIZES | attention | {"task": "dual_encoder", "interaction": interaction}
            passed.append(compare_model(executable, f"dual encoder {interaction} {described}", reference.DualEncoder,
                                        config))
        config = SIZES | attention | {"task": "language_model"}
        passed.append(compare_model(executable, f"language model {described}", reference.LanguageModel, config))
    adamw = {"task": "adamw", "steps": 5, "learning_rate": 0.05, "weight_decay": 0.1}
    passed.append(compare_optimiser(executable, "AdamW, 5 steps",
                                    lambda parameters: torch.optim.AdamW(parameters, lr=0.05, weight_decay=0.1), adamw))
    sgd = {"task": "sgd", "steps": 5, "learning_rate": 0.05, "weight_decay": 0.1, "momentum": 0.9}
    passed.append(compare_optimiser(
        executable, "SGD, 5 steps",
        lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.9, weight_decay=0.1), sgd))
    print(f"{sum(passed)} of {len(passed)} agree with PyTorch {torch.__version__} to {TOLERANCE}")
    sys.exit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
