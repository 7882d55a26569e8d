"""The report action: everything above it, gathered into one page."""

import json
from collections import Counter
from typing import Any

from ftbuild.engine import Build, Made
from ftbuild.plan.action import Action
from ftbuild.report.input import ReportInput
from ftbuild.runners.workshop import Workshop, json_file, json_lines, parse_lines

SAMPLES = 10
CAVEAT = (
    "A model of this size learns a tone long before it learns to keep every fact. Read its answers before you send "
    "them: it must not be trusted with amounts, dates or promises on its own."
)


def report(shop: Workshop, action: Action, _key: str, done: Build) -> Made:
    """Draw the page and list the misses."""
    from ftbuild.report import html, misses

    gathered = ReportInput(
        results=json.loads(done.read(action, "results")),
        examples=_examples(action, done),
        dataset=_dataset(shop, action, done),
        training=_training(action, done),
        actions=[
            {"label": ran.action.label, "status": ran.status, "seconds": ran.record.seconds}
            for ran in done.ran.values()
        ],
        run={**shop.run, "seconds": round(sum(ran.seconds for ran in done.ran.values()), 1)},
        caveat=CAVEAT if shop.settings.provider.kind == "embedded" else None,
    )
    missed = misses.misses(gathered.examples)
    return Made(
        {
            "report.html": html.render(gathered).encode(),
            "report.json": json_file(gathered.to_json()),
            "misses.jsonl": json_lines(missed),
        },
        f"{len(missed)} misses",
    )


def _examples(action: Action, done: Build) -> list[dict[str, Any]]:
    places = {each["id"]: each for each in parse_lines(done.read(action, "provenance"))}
    arms = list(action.settings["arms"])
    answers = {
        arm: {each["id"]: each["content"] for each in parse_lines(done.read(action, f"{arm}.predictions"))}
        for arm in arms
    }
    scores = {arm: {each["id"]: each for each in parse_lines(done.read(action, f"{arm}.scores"))} for arm in arms}
    return [
        {
            "id": each["id"],
            "input": each["raw"],
            "target": each["messages"][-1]["content"],
            "group": each["group"],
            "slices": each["slices"],
            "path": places[each["id"]]["path"],
            "line": places[each["id"]]["line"],
            "answers": {arm: answers[arm][each["id"]] for arm in arms},
            "scores": {arm: scores[arm][each["id"]]["scores"] for arm in arms},
            "detail": {arm: scores[arm][each["id"]]["detail"] for arm in arms},
        }
        for each in parse_lines(done.read(action, "examples"))
    ]


def _dataset(shop: Workshop, action: Action, done: Build) -> dict[str, Any]:
    manifest = json.loads(done.read(action, "manifest"))
    provenance = list(parse_lines(done.read(action, "provenance")))
    trained = [each for each in provenance if each["split"] == "train"]
    samples = list(parse_lines(done.read(action, "samples")))[:SAMPLES]
    per_source = Counter(each["source"] for each in provenance)
    groups: dict[str, set[str]] = {}
    for each in provenance:
        groups.setdefault(each["split"], set()).add(each["group"])
    return {
        "digest": manifest["digest"],
        "counts": manifest["counts"],
        "groups": {split: len(names) for split, names in groups.items()},
        "sources": [
            {
                "name": name,
                "path": source.path,
                "n": per_source[name],
                "licence": source.licence,
                "origin": source.origin,
            }
            for name, source in shop.settings.dataset.sources.items()
        ],
        "dropped": [{"reason": reason, "n": n} for reason, n in json.loads(done.read(action, "dropped")).items()],
        "n_tokens": None,
        "samples": [
            {"path": place["path"], "line": place["line"], "split": "train", "messages": line["messages"]}
            for place, line in zip(trained, samples, strict=False)
        ],
    }


def _training(action: Action, done: Build) -> dict[str, Any] | None:
    if not any(each.role == "job" for each in action.inputs):
        return None
    job = json.loads(done.read(action, "job"))
    steps = [
        {
            "step": each["step"],
            "train_loss": each["train_loss"],
            "valid_loss": each["full_valid_loss"] if each["full_valid_loss"] is not None else each["valid_loss"],
        }
        for each in parse_lines(done.read(action, "metrics"))
    ]
    return {
        **{name: job[name] for name in ("job_id", "status", "base_model", "trained_tokens", "seed", "chosen")},
        **{name: job[name] for name in ("hyperparameters", "asked", "checkpoints")},
        "model": job["fine_tuned_model"],
        "steps": steps,
    }
