"""An epoch of our own training beside a plain loop of transformers and peft, on the same examples, in one run.

    python -m tests.bench.training [--examples 64] [--epochs 2] [--experiment tone_formal] [--model smollm2] [--reps 1]

The plain loop is what one writes first: LoRA of the same rank on the same layers, AdamW, the same batch size, steps and
rates; batches in random order, padded to their longest row, labels of -100 on what is given. Both compute in the dtype
that our own probe chooses, on one thread, each in a process of its own, in turns. Told are the CPU seconds of an epoch,
loading left out, as a ratio, and the validation loss that each has reached in the end, by its own forward pass.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

GOAL_RATIO = 2.5
LOSS_WITHIN = 0.05  # share of the plain loop's validation loss
ARMS = ("plain", "ours")
SEED = 0


def ours(folder: Path, data: Path, n_epochs: int) -> Iterator[float]:
    """Yield at the start, after every epoch, and then the validation loss."""
    import torch

    from ftbuild.embedded.learner import SupervisedLearner
    from ftbuild.embedded.lessons import epoch
    from ftbuild.embedded.llama import fast_dtype
    from ftbuild.embedded.training import RECIPE, rate_at
    from ftbuild.embedded.weights import Base

    torch.set_num_threads(1)
    train, valid = _lessons(folder, data)
    learner = SupervisedLearner(Base("base", folder, ""), SEED, fast_dtype(folder))
    per_epoch = -(-len(train) // RECIPE.batch_size)
    yield 0.0
    for number in range(1, n_epochs + 1):
        for step, batch in enumerate(epoch(train, RECIPE.batch_size, SEED, number), (number - 1) * per_epoch + 1):
            learner.learn(batch, RECIPE.learning_rate * rate_at(step, n_epochs * per_epoch))
        yield 0.0
    yield learner.measure(valid)[0]


def plain(folder: Path, data: Path, n_epochs: int) -> Iterator[float]:
    """Yield at the start, after every epoch, and then the validation loss."""
    import peft
    import torch
    import transformers

    from ftbuild.embedded.llama import fast_dtype
    from ftbuild.embedded.training import RECIPE, rate_at

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    train, valid = _lessons(folder, data)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=fast_dtype(folder))
    lora = peft.LoraConfig(r=RECIPE.rank, lora_alpha=RECIPE.alpha, target_modules="all-linear", lora_dropout=0.0)
    model = peft.get_peft_model(model, lora)
    parameters = [each for each in model.parameters() if each.requires_grad]
    optimizer = torch.optim.AdamW(parameters, weight_decay=RECIPE.weight_decay, fused=True)

    def loss_of(batch: Sequence[Any]) -> Any:
        longest = max(each.n_tokens for each in batch)
        ids, mask, labels = (torch.full((len(batch), longest), fill) for fill in (0, 0, -100))
        for row, each in enumerate(batch):
            ids[row, : each.n_tokens] = torch.tensor(each.ids)
            mask[row, : each.n_tokens] = 1
            given = torch.tensor([-100] * each.n_tokens)
            labels[row, : each.n_tokens] = torch.where(torch.tensor(each.learnt), torch.tensor(each.ids), given)
        return model(input_ids=ids, attention_mask=mask, labels=labels).loss

    per_epoch = -(-len(train) // RECIPE.batch_size)
    step = 0
    yield 0.0
    for _ in range(n_epochs):
        order = torch.randperm(len(train)).tolist()
        for start in range(0, len(train), RECIPE.batch_size):
            step += 1
            for group in optimizer.param_groups:
                group["lr"] = RECIPE.learning_rate * rate_at(step, n_epochs * per_epoch)
            optimizer.zero_grad(set_to_none=True)
            loss_of([train[at] for at in order[start : start + RECIPE.batch_size]]).backward()
            torch.nn.utils.clip_grad_norm_(parameters, RECIPE.max_norm)
            optimizer.step()
        yield 0.0
    total = n_learnt = 0.0
    with torch.no_grad():
        for each in valid:
            n_tokens = sum(each.learnt[1:])
            total, n_learnt = total + n_tokens * float(loss_of([each])), n_learnt + n_tokens
    yield total / n_learnt


def _lessons(folder: Path, data: Path) -> tuple[list[Any], list[Any]]:
    from ftbuild.embedded.lessons import read_lessons
    from ftbuild.embedded.template import Template

    template = Template(folder)
    return tuple(  # type: ignore[return-value]
        read_lessons((data / f"{split}.jsonl").read_bytes(), template, split)[0] for split in ("training", "validation")
    )


def measured(arm: str, folder: Path, data: Path, n_epochs: int) -> dict[str, float]:
    """Run one arm in this process."""
    times, found = [], 0.0
    for loss in {"ours": ours, "plain": plain}[arm](folder, data, n_epochs):
        times.append(time.process_time())
        found = loss
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": (times[-2] - times[0]) / n_epochs, "loss": found, "mb": peak}


def make(experiment: str, model: str, n_examples: int, into: Path) -> Path:
    """Write training.jsonl and validation.jsonl into a folder, and return that of the base model."""
    from ftbuild.cache import cache_folder
    from ftbuild.compose import compose
    from ftbuild.embedded.weights import prepare

    command = [sys.executable, "-m", "ftbuild", "dataset", f"+experiment={experiment}"]
    told = subprocess.run(command, cwd=into, check=True, capture_output=True, text=True).stdout
    built = into / told.strip()
    for name, split in (("train", "training"), ("validation", "validation")):
        lines = (built / f"{name}.jsonl").read_bytes().splitlines(keepends=True)
        (into / f"{split}.jsonl").write_bytes(b"".join(lines[:n_examples]))
    settings = compose(into, [f"+experiment={experiment}", f"model={model}"]).settings
    return prepare(settings.model.model_dump(), cache_folder(os.environ), print).folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the bench and print what was reached; return 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--experiment", default="tone_formal")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--reps", type=int, default=1)
    parser.add_argument("--arm", nargs=3, metavar=("ARM", "MODEL", "DATA"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.arm:
        arm, folder, data = given.arm
        print(json.dumps(measured(arm, Path(folder), Path(data), given.epochs)))
        return 0
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    quiet = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with TemporaryDirectory() as data:
        folder = make(given.experiment, given.model, given.examples, Path(data))
        for _ in range(given.reps):
            for arm in ARMS:
                command = [sys.executable, "-m", "tests.bench.training", "--epochs", str(given.epochs)]
                command += ["--arm", arm, str(folder), data]
                done = subprocess.run(command, env=quiet, check=True, capture_output=True, text=True).stdout
                found[arm].append(json.loads(done.splitlines()[-1]))
    return _told(found)


def _told(found: dict[str, list[dict[str, float]]]) -> int:
    print("| arm | CPU s an epoch | validation loss | peak MB |\n|---|---|---|---|")
    middle = {
        arm: {name: statistics.median(each[name] for each in runs) for name in ("cpu", "loss", "mb")}
        for arm, runs in found.items()
    }
    for arm, numbers in middle.items():
        print(f"| {arm} | {numbers['cpu']:.1f} | {numbers['loss']:.3f} | {numbers['mb']:.0f} |")
    ratio = middle["plain"]["cpu"] / middle["ours"]["cpu"]
    equal = middle["ours"]["loss"] <= middle["plain"]["loss"] * (1 + LOSS_WITHIN)
    met = ratio >= GOAL_RATIO and equal
    words = "" if equal else ", but not at equal validation loss"
    print(f"\n{ratio:.2f} times as cheap{words} (goal: {GOAL_RATIO}): {'met' if met else 'MISSED'}")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
