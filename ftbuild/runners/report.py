"""The report action: everything above it, gathered into one page."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ftbuild.chat import Message, said
from ftbuild.ledger.checkpoints import choose
from ftbuild.plan.rounds import BEFORE
from ftbuild.plan.splits import CONFIRMED
from ftbuild.render.back import conversation
from ftbuild.report.input import ReportInput
from ftbuild.report.words import REHEARSED
from ftbuild.runners.formats import json_file, json_lines, parse_lines, texts
from ftbuild.runners.usage import usage
from ftbuild.stream import Content, whole
from ftbuild.tools.own import as_it_was
from ftbuild.workers import Made

SAMPLES = 10
CAVEAT = (
    "A model of this size learns a tone long before it learns to keep every fact. Read its answers before you send "
    "them: it must not be trusted with amounts, dates or promises on its own."
)


def report(settings: Any, inputs: Mapping[str, Content], given: Mapping[str, Any]) -> Made:
    """Draw the page and list the misses; `given` are the facts of the run that asked: run, actions, sources,
    and of each arm what it is and what its tokens cost.
    """
    from ftbuild.report import html, misses

    results = json.loads(whole(inputs["results"]))
    ours = CAVEAT if given["run"]["provider"] == "embedded" else None
    gathered = ReportInput(
        results=results,
        examples=examples_of(settings["arms"], inputs),
        dataset=_dataset(given["sources"], inputs),
        training=_training(inputs, settings.get("checkpoint", "last")),
        actions=given["actions"],
        run=given["run"],
        arms={
            name: {
                "about": given["arms"][name]["about"],
                "usage": usage(inputs[f"{name}.predictions"], given["arms"][name]["prices"]),
            }
            for name in settings["arms"]
        },
        at_once=given["at_once"],
        retrieval=json.loads(whole(inputs["retrieval"])) if "retrieval" in inputs else None,
        sweep=_sweep(settings.get("sweep"), inputs),
        round=_round(inputs, given["round"]),
        caveat=REHEARSED if results.get("rehearsed") else ours,
    )
    missed = misses.misses(gathered.examples, gathered.results["arm"])
    return Made(
        {
            "report.html": html.render(gathered).encode(),
            "report.json": json_file(gathered.to_json()),
            "misses.jsonl": json_lines(missed),
        },
        f"{len(missed)} misses" if misses.told_by(gathered.examples) else "no scorer here tells a miss",
    )


def _sweep(sweep: Mapping[str, Any] | None, inputs: Mapping[str, Content]) -> dict[str, Any] | None:
    """Return what is told of the sweep that a run has won, None of any other run."""
    return None if sweep is None else {**sweep, CONFIRMED: json.loads(whole(inputs[CONFIRMED]))}


def _round(inputs: Mapping[str, Content], given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what is told of a round and the one before it, None of a first one.

    `given` says whose misses were read, and of each job by its role for which experiment it is and what it cost.
    """
    if f"{BEFORE}.job" not in inputs:
        return None
    jobs = {}
    for role in (f"{BEFORE}.job", "job"):
        if role in inputs:
            told = given["jobs"][role]
            n_tokens = json.loads(whole(inputs[role]))["trained_tokens"]
            jobs[told["experiment"]] = {"trained_tokens": n_tokens, "cost_usd": told["cost_usd"]}
    return {"run": given["run"], "jobs": jobs}


def examples_of(arms: Sequence[str], inputs: Mapping[str, Content]) -> list[dict[str, Any]]:
    """Return the examples with what each arm answered and what that came to, as ReportInput has them.

    `inputs` are the `examples`, their `provenance`, and of each arm `ARM.predictions` and `ARM.scores`.
    """
    places = {each["id"]: each for each in parse_lines(inputs["provenance"])}
    scores = {arm: {each["id"]: each for each in parse_lines(inputs[f"{arm}.scores"])} for arm in arms}
    answers = {arm: texts(inputs[f"{arm}.predictions"]) for arm in arms}
    return [
        {
            "id": each["id"],
            "input": each["raw"],
            "target": said(Message.from_json(each["messages"][-1])),
            "group": each["group"],
            "slices": each["slices"],
            **{name: places[each.get("of", each["id"])][name] for name in ("path", "line")},
            "answers": {arm: answers[arm][each["id"]][scores[arm][each["id"]].get("sample", 0)] for arm in arms},
            "scores": {arm: scores[arm][each["id"]]["scores"] for arm in arms},
            "detail": {arm: scores[arm][each["id"]]["detail"] for arm in arms},
        }
        for each in map(as_it_was, parse_lines(inputs["examples"]))
    ]


def _dataset(sources: Mapping[str, Any], inputs: Mapping[str, Content]) -> dict[str, Any]:
    manifest = json.loads(whole(inputs["manifest"]))
    provenance = list(parse_lines(inputs["provenance"]))
    trained = [each for each in provenance if each["split"] == "train"]
    samples = list(parse_lines(inputs["samples"]))[:SAMPLES]
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
                "n": None if source["kind"] == "documents" else per_source[name],
                **{what: source[what] for what in ("path", "licence", "origin")},
            }
            for name, source in sources.items()
        ],
        "dropped": [{"reason": reason, "n": n} for reason, n in json.loads(whole(inputs["dropped"])).items()],
        "n_tokens": None,
        "samples": [
            {"path": place["path"], "line": place["line"], "split": "train", "messages": _shown(conversation(line))}
            for place, line in zip(trained, samples, strict=False)
        ],
    }


def _shown(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{"role": each["role"], "content": said(Message.from_json(each))} for each in messages]


def _training(inputs: Mapping[str, Content], rule: str) -> dict[str, Any] | None:
    if "job" not in inputs:
        return None
    job = json.loads(whole(inputs["job"]))
    steps = [
        {
            "step": each["step"],
            "train_loss": each["train_loss"],
            "valid_loss": each["full_valid_loss"] if each["full_valid_loss"] is not None else each["valid_loss"],
        }
        for each in parse_lines(inputs["metrics"])
    ]
    return {
        **{name: job[name] for name in ("job_id", "status", "base_model", "trained_tokens", "seed")},
        "chosen": rule,
        **{name: job[name] for name in ("hyperparameters", "asked", "checkpoints")},
        "model": choose(job, rule).model,
        "steps": steps,
    }
