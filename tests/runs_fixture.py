"""Run folders written by hand, with the records and reports that runs leave behind."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from config_fixture import Ended, Own

from ftbuild.digest import of_value
from ftbuild.example import USUAL
from ftbuild.runners.formats import json_lines
from ftbuild.store.store import Record, Store

OLD, NEW = "20250303-104200-tone", "20250304-104200-tone"
SYSTEM = "Be formal."
# split, line, casual, formal
SAID = (
    ("train", 1, "hey", "Hello."),
    ("train", 2, "thx!!", "Thank you."),
    ("validation", 3, "c u at 8", "I will see you at 8."),
    ("test", 4, "gonna be late", "I am going to be late."),
)
Said = tuple[str, int, str, str]


def settings(**values: Any) -> list[dict[str, Any]]:
    """Return settings_lines: a key a value, "__" for the dot, each from its own line of one file."""
    return [
        {"key": key.replace("__", "."), "value": value, "origin": f"conf/experiment/tone.yaml:{line}"}
        for line, (key, value) in enumerate(values.items(), 4)
    ]


def metric(
    mean: float | None = 0.9, *, name: str = "style.all_kept", arm: str = "tuned", n: int = 40
) -> dict[str, Any]:
    low, high = (None, None) if mean is None else (round(mean - 0.05, 4), round(mean + 0.05, 4))
    return {
        "metric": name,
        "label": name,
        "proxy": False,
        "lower_is_better": name == "facts.invented",
        "slice": None,
        "arms": {arm: {"n": n, "mean": mean, "low": low, "high": high}},
        "differences": {},
    }


class Runs:
    """A project and its runs."""

    def __init__(self, folder: Path) -> None:
        self.own = Own(folder)
        self.folder = folder / "outputs" / "runs"
        self.store = Store(folder / "outputs" / ".ftbuild")

    def write(
        self,
        run_id: str,
        *,
        said: Sequence[Said] = SAID,
        system: str = SYSTEM,
        lines: Sequence[Mapping[str, Any]] | None = None,
        metrics: Sequence[Mapping[str, Any]] | None = None,
        versions: Mapping[str, Any] | None = None,
        tokens: int = 12_400,
        where: str = "outputs/runs",
        **told: Any,
    ) -> Path:
        """Write a run, its report and the record of its dataset; return its folder."""
        value = {
            "schema_version": 1,
            "run_id": run_id,
            "experiment": run_id.split("-")[2],
            "started_at": f"{run_id[:4]}-{run_id[4:6]}-{run_id[6:8]}T{run_id[9:11]}:{run_id[11:13]}:{run_id[13:15]}Z",
            "commit": None,
            "dirty": False,
            "overrides": ["+experiment=tone"],
            "seconds": 112.0,
            "cost_usd": 0,
            "verdict": "better",
            "ending": "met",
            "goal": [],
            "metrics": [metric()] if metrics is None else metrics,
            "dataset": {"digest": "0" * 64, "counts": {}},
            "jobs": ["ftjob-1"],
            "actions": [{"label": "dataset", "kind": "dataset", "key": self._dataset(said, system, versions or {})}],
            "result_id": run_id,
            **told,
        }
        report = {
            "schema_version": 1,
            "results": {"verdict_metric": "style.all_kept"},
            "training": {"trained_tokens": tokens},
            "run": {"settings_lines": settings(seed=1) if lines is None else lines},
            "examples": [_tested(each) for each in said if each[0] == "test"],
        }
        self.own.write(f"{where}/{run_id}/run.json", json.dumps(value))
        self.own.write(f"{where}/{run_id}/report.json", json.dumps(report))
        return self.own.folder / where / run_id

    def latest(self, run_id: str) -> None:
        os.symlink(run_id, self.folder / "latest")

    def run(self, *arguments: str, columns: int = 100) -> Ended:
        return self.own.run(*arguments, columns=columns)

    def json(self, *arguments: str) -> dict[str, Any]:
        ended = self.run(*arguments, "--format", "json")
        assert (ended.code, ended.err) == (0, "")
        return json.loads(ended.out)  # type: ignore[no-any-return]

    def forget_dataset(self, run_id: str) -> None:
        """Take the record of a run's dataset out of the store."""
        [action] = json.loads((self.folder / run_id / "run.json").read_bytes())["actions"]
        self.store.manifest_path(action["key"]).unlink()

    def _dataset(self, said: Sequence[Said], system: str, versions: Mapping[str, Any]) -> str:
        made = {f"{split}.jsonl": [_example(each, system) for each in said if each[0] == split] for split in USUAL}
        made["provenance.jsonl"] = [
            {"id": _id(each), "split": each[0], "source": "pairs", "path": "data/pairs.jsonl", "line": each[1]}
            for each in said
        ]
        outputs = {name: self.store.put(json_lines(lines)) for name, lines in made.items()}
        preimage = {"kind": "dataset", "version": versions.get("dataset", 1), "settings": {}, "inputs": []}
        key = of_value([outputs, preimage])
        record = Record(key, "dataset", "dataset", outputs, "", 100.0, 1.0)
        self.store.record(record, {"preimage": preimage, "versions": {"ftbuild": versions.get("ftbuild", "0.1.0")}})
        return key


def _id(said: Said) -> str:
    return of_value(said[2:])[:16]


def _example(said: Said, system: str) -> dict[str, Any]:
    messages = [("system", system), ("user", said[2]), ("assistant", said[3])]
    return {
        "id": _id(said),
        "messages": [{"role": role, "content": content} for role, content in messages],
        "raw": said[2],
        "group": "g",
        "slices": {},
    }


def _tested(said: Said) -> dict[str, Any]:
    told = {"input": said[2], "target": said[3], "path": "data/pairs.jsonl", "line": said[1]}
    return {"id": _id(said), **told, "group": "g", "slices": {}}
