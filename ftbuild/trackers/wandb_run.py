"""A run of Weights & Biases as plain values: what is told of a build, and what of a job.

Owns the names: metrics, tags, job type and summary keys are those of OpenAI's own integration and of
`wandb.integration.openai` (openai 3.54, wandb 0.31), so that a dashboard made for them shows these runs
too. Knows nothing of the wandb package.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

JOB_TYPE = "fine-tune"
CURVES = ("train_loss", "valid_loss", "full_valid_loss")
OF_JOB = ("model", "training_file", "validation_file", "seed")
TAG_AT_MOST = 64
NAME_AT_MOST = 128


@dataclass(frozen=True)
class Artifact:
    """Files under one name; `files` maps each name in it to the path of what lies here."""

    name: str
    type: str
    metadata: Mapping[str, Any]
    aliases: Sequence[str]
    files: Mapping[str, str]


@dataclass(frozen=True)
class WandbRun:
    """One run; the same `id` is the same run again. `history` are rows with a `step`, a table has columns and rows."""

    id: str
    project: str
    entity: str | None
    name: str
    group: str | None
    tags: Sequence[str]
    config: Mapping[str, Any]
    history: Sequence[Mapping[str, Any]] = ()
    summary: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Sequence[Artifact] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, in which it is handed to another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "WandbRun":
        """Return the run that `to_json` wrote."""
        return cls(**{**value, "artifacts": [Artifact(**each) for each in value["artifacts"]]})


def run_name(experiment: str, command: Iterable[str]) -> str:
    """Return the name of a run: the experiment, and the overrides that it was asked for with."""
    words = [word for word in _telling(command) if word != f"+experiment={experiment}"]
    return " ".join([experiment, *words])[:NAME_AT_MOST]


def group(experiment: str, sweep: Iterable[str] | None) -> str:
    """Return what a run is grouped by: the words of its sweep, the experiment where it is of none."""
    return (" ".join(_telling(sweep)) if sweep is not None else experiment)[:NAME_AT_MOST]


def _telling(words: Iterable[str]) -> list[str]:
    """Return the words without those that say where the run goes."""
    return [word for word in words if not word.lstrip("+").startswith("tracker")]


def tags(base_model: str, job_id: str | None, own: Iterable[str]) -> list[str]:
    """Return the tags of a run: those that OpenAI gives, then our own, each once and none too long."""
    given = ["openai/finetune", f"openai/{base_model}", *([f"openai/{job_id}"] if job_id else []), *own]
    return list(dict.fromkeys(tag[:TAG_AT_MOST] for tag in given))


def of_job(job: Mapping[str, Any], asked: Mapping[str, Any]) -> WandbRun:
    """Return the run that a provider writes of a job while it trains; `asked` is the `wandb` of its integration."""
    method = job["method"]
    return WandbRun(
        id=job["id"],
        project=asked["project"],
        entity=asked["entity"],
        name=asked["name"] or job["id"],
        group=None,
        tags=tags(job["model"], job["id"], asked["tags"] or ()),
        config={
            **{name: job[name] for name in OF_JOB},
            "hyperparameters": method[method["type"]]["hyperparameters"],
        },
    )


def curves(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of a history, each a step and the losses that were measured at it."""
    found = [{"step": row["step"], **{name: row[name] for name in CURVES if row.get(name) is not None}} for row in rows]
    return [row for row in found if len(row) > 1]


def summary(results: Mapping[str, Any], training: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a list of runs shows: the end of the job, the verdict, every metric of every arm with its interval.

    `results` and `training` are those of a report.
    """
    found: dict[str, Any] = {"verdict": results["verdict"], "goal": results["ending"]}
    if results.get("rehearsed"):
        found["rehearsed"] = True
    if training is not None:
        found |= {"fine_tuned_model": training["model"], "status": training["status"]}
        found["trained_tokens"] = training["trained_tokens"]
    for metric in results["metrics"]:
        where = metric["metric"] + (f"@{metric['slice']}" if metric["slice"] else "")
        for arm, numbers in metric["arms"].items():
            found[f"{arm}/{where}"] = {name: numbers[name] for name in ("mean", "low", "high", "n")}
        if change := metric["differences"].get(results["against"]):
            found[f"{results['arm']} - {results['against']}/{where}"] = {
                name: change[name] for name in ("difference", "low", "high", "p")
            }
    return found


def evaluation(examples: Sequence[Mapping[str, Any]], arms: Sequence[str]) -> dict[str, Any]:
    """Return the table of a report's examples: input, target, then each arm's answer and scores."""
    metrics = list(dict.fromkeys(name for each in examples for arm in arms for name in each["scores"][arm]))
    rows = [
        [
            *(each["id"], each["group"], _text(each["slices"]), _text(each["input"]), each["target"]),
            *(each["answers"][arm] for arm in arms),
            *(each["scores"][arm].get(name) for arm in arms for name in metrics),
        ]
        for each in examples
    ]
    columns = [
        "id",
        "group",
        "slices",
        "input",
        "target",
        *arms,
        *(f"{arm} {name}" for arm in arms for name in metrics),
    ]
    return {"columns": columns, "rows": rows}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
