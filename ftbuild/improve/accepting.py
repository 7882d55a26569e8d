"""Chosen entries of a proposal become files of the project: sources with their data, and the next experiment.

Pure. The experiment inherits the one that the proposal is about; whether all of it composes is for the caller to see.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ftbuild import promoting
from ftbuild.improve.entries import Entry, dumped
from ftbuild.improve.proposal import Proposal

DATA = ("generator", "examples", "review")  # kinds of entries that become a source
NUMBERED = re.compile(r"(?P<name>.*?)_(?P<number>\d+)")


@dataclass(frozen=True)
class Accepted:
    """What is written: of each new source its `data` and `conf` by path, the overrides that the next experiment says
    beyond those of the run, and the config that has their values.

    `sources` are the settings of each new source, by its name.
    """

    name: str
    overrides: Sequence[str]
    tree: Mapping[str, Any]
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def experiment(self, about: str, comments: Sequence[str]) -> str:
        """Return the file of the next experiment."""
        return promoting.text(self.overrides, self.tree, about, comments)


def next_name(experiment: str) -> str:
    """Return what the round after an experiment is called: NAME_2, then NAME_3."""
    found = NUMBERED.fullmatch(experiment)
    return f"{found['name']}_{int(found['number']) + 1}" if found else f"{experiment}_2"


def accepted(
    proposal: Proposal,
    chosen: Sequence[Entry],
    name: str,
    tree: Mapping[str, Any],
    reviewed: Mapping[str, str],
    walled: bool | str = True,
) -> Accepted:
    """Return what the chosen entries come to as the experiment `name`.

    `tree` is the config of the run; `reviewed` are the chat lines that came of the entries of reviews, by name;
    `walled` is how new sources of texts are.
    """
    changed = copy.deepcopy(dict(tree))
    overrides, sources, files = list(proposal.overrides), {}, {}
    without: dict[str, str] = {}
    aims = list(dict.fromkeys(aim for each in chosen for aim in each.aims))
    for each in chosen:
        if each.kind == "setting":
            _put(changed, each.said["key"], each.said["value"])
            overrides.append(f"{each.said['key']}={each.said['value']}")
        elif each.kind == "suspects":
            without |= {one["id"]: one["line"] for one in each.said["drop"]}
        else:
            source = f"{name}_{each.name}"
            path, text = _data(each, f"datasets/sources/{name}/{each.name}", reviewed)
            sources[source] = _source(each, path, proposal, tree, walled)
            files[path] = text
            files[f"conf/source/{source}.yaml"] = _conf(each, sources[source], name)
            overrides.append(f"+source@dataset.sources.{source}={source}")
    for one, place in without.items():
        _put(changed, f"dataset.without.{one}", place)
        overrides.append(f"dataset.without.{one}={place}")
    for key, value in {"after": proposal.experiment, "run": proposal.run, "aims": aims}.items():
        _put(changed, f"round.{key}", value)
        overrides.append(f"round.{key}={value}")
    return Accepted(name, overrides, changed, sources, files)


def _put(tree: dict[str, Any], key: str, value: Any) -> None:
    *above, last = key.split(".")
    for name in above:
        tree[name] = {} if tree.get(name) is None else tree[name]
        tree = tree[name]
    tree[last] = value


def _data(entry: Entry, stem: str, reviewed: Mapping[str, str]) -> tuple[str, str]:
    """Return the path of an entry's data and its text."""
    if entry.kind == "review":
        return f"{stem}.jsonl", reviewed[entry.name]
    [(name, text)] = entry.files.items()
    return f"{stem}.{name.rpartition('.')[2]}", text


def _source(entry: Entry, path: str, proposal: Proposal, tree: Mapping[str, Any], walled: bool | str) -> dict[str, Any]:
    """Return the settings of the source that an entry becomes; calls are compared by their values alone."""
    after = f"run {proposal.run}" if proposal.run else proposal.experiment
    if entry.kind == "generator":
        parent = tree["dataset"]["sources"][entry.said["like"]]
        origin = f"Proposed after {after}, from what {entry.said['like']} has to learn from; read and accepted"
        return {
            "kind": "generator",
            "path": path,
            **entry.said["source"],
            "walled": True,
            "licence": parent["licence"],
            "origin": origin,
        }
    licence, origin = entry.said["licence"], entry.said.get("origin", f"Reviewed after {after}")
    consent = {"consent": entry.said["consent"]} if "consent" in entry.said else {}
    group = {"group": "group"} if entry.kind == "review" else {}
    said = {"kind": "chat_jsonl", "path": path, **group, "only": "train", "walled": walled, "licence": licence}
    return {**said, **consent, "origin": origin}


def _conf(entry: Entry, source: Mapping[str, Any], name: str) -> str:
    """Return the file of a source."""
    what = {"generator": "Requests that teach what was missed", "examples": "Drafts that teach what was missed"}
    about = what.get(entry.kind, "What people asked in production, answered by review")
    return f"# {about}: {entry.name}.   ftbuild show +experiment={name}\n{dumped(source)}"
