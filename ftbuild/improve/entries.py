"""What is proposed for the next round: an entry for each thing that a person may accept, and why it is proposed.

Pure. An entry is small and to be read: it names what is missing and how much of it, and brings a file where there is
something to write on.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

from ftbuild.improve.groups import LOST, NEEDS_PASSAGES, WRONG_TOOL, Group, label
from ftbuild.improve.suspects import Suspect
from ftbuild.report import misses, words
from ftbuild.settings import Settings, Source
from ftbuild.sources import generator

EntryKind = Literal["generator", "examples", "review", "setting", "suspects"]
OF_CALLS = (WRONG_TOOL, misses.MISSING, misses.EXTRA, misses.VALUE)
FEWEST = 50
MISSES_AT_LEAST = 2  # of a kind, to propose data for it
SHADOWS = (LOST, NEEDS_PASSAGES)  # kinds that say how a miss stands to other answers, and not what is wrong in it
SUSPECTS_AT_MOST = 20
ARITY = ("one", "two", "three")
STILL_FALLING = 0.98  # of the validation loss before: an epoch that ends below it has more to learn
WIDTH = 110


@dataclass(frozen=True)
class Entry:
    """One proposal: `why` in words, `aims` the slices that it should move, `said` its further keys, `files` by name."""

    name: str
    kind: EntryKind
    why: str
    aims: Sequence[str] = ()
    said: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the entry as it stands in the proposal."""
        return {
            "name": self.name,
            "kind": self.kind,
            "why": self.why,
            **({"aims": [*self.aims]} if self.aims else {}),
            **self.said,
        }


def named(kind: str) -> str:
    """Return the name of an entry for a kind of miss."""
    return re.sub(r"\W+", "_", kind).strip("_")


def n_wanted(group: Group, n_train: int) -> int:
    """Return how many examples are proposed: as large a share of what is learnt from as that which is missed."""
    return max(FEWEST, round(n_train * len(group.misses) / group.n))


def of_generators(
    found: Sequence[Group],
    settings: Settings,
    contents: Mapping[str, bytes],
    tested: Mapping[str, int],
    n_train: int,
) -> Iterator[Entry]:
    """Yield an entry for each kind of wrong calls that requests of a generator would teach.

    `contents` are the files of the generators, by the name of their source; the one with the most of the misses is
    taken, of those that have none the first. `tested` is how many test examples each slice has.
    """
    for group in found:
        if group.kind not in OF_CALLS or len(group.misses) < MISSES_AT_LEAST or not contents:
            continue
        by_source = Counter(each.example["slices"].get("source") for each in group.misses)
        parent = max(contents, key=lambda name: by_source[name])
        source = settings.dataset.sources[parent]
        entry = _generated(group, parent, source, contents[parent], tested, n_train)
        if entry is not None:
            yield entry


def _generated(
    group: Group, parent: str, source: Source, content: bytes, tested: Mapping[str, int], n_train: int
) -> Entry | None:
    calls = {number: sum(each.example["slices"].get("calls") == number for each in group.misses) for number in ARITY}
    if not any(calls.values()):
        return None  # they need no call, and of these a generator has just what is written
    name = named(group.kind)
    tree = generator.for_learning(content, source, [*group.tools])
    if not tree["tools"]:
        return None
    head = [
        f"Phrasings and values for requests that should teach what was missed: {label(group.kind)}.",
        "Write more of both, in words that are not here yet; how they are read: ftbuild/sources/generator.py.",
        "What stands here is what is learnt from already. Nothing that tests is in it, and nothing may be.",
    ]
    return Entry(
        name,
        "generator",
        why(group),
        group.aims(tested),
        {
            "file": f"{name}.yaml",
            "like": parent,
            "source": {"n": n_wanted(group, n_train), "calls": calls, "seed": (source.seed or 0) + 1000},
        },
        {f"{name}.yaml": _yaml(head, tree)},
    )


def why(group: Group) -> str:
    """Return why something is proposed against a kind of miss: how often, where, and what the data had on it."""
    said = [f"{label(group.kind)}: {len(group.misses)} of {group.n} validation examples"]
    if out := [f"{each.where} {each.missed} of {each.n}" for each in group.parts if each.stands_out]:
        said.append(f"most in {', '.join(out)}")
    counted = group.arguments if group.kind == misses.VALUE else group.tools
    if counted:
        said.append(f"of {', '.join(f'{name} {n}' for name, n in Counter(counted).most_common(5))}")
    told = group.evidence()
    evidence = (
        (told["absent"], "with nothing like it in the training data"),
        (told["contradicted"], "contradicted there"),
        (told["taught"], "taught there"),
    )
    said.append(", ".join(f"{n} {how}" for n, how in evidence if n))
    return "; ".join(said)


def of_settings(
    found: Sequence[Group], settings: Settings, training: Mapping[str, Any] | None, arms_with: Mapping[str, str]
) -> Iterator[Entry]:
    """Yield the settings to which the evidence points; `training` is what the report says of the job, `arms_with` maps
    an arm without passages to the one that differs from it by them.
    """
    by_kind = {each.kind: each for each in found}
    if (group := by_kind.get(NEEDS_PASSAGES)) is not None and settings.goal.arm in arms_with:
        better = arms_with[settings.goal.arm]
        said = f"{len(group.misses)} of {group.n} validation examples are facts that need retrieval: {better} has them"
        yield _setting("use_passages", said, "goal.arm", better)
    if (group := by_kind.get(misses.MISFIT)) is not None and not settings.request.strict_tools:
        yield _setting("strict_tools", why(group), "request.strict_tools", True)
    if training is not None and (epochs := _still_falling(training)) is not None:
        n, before, last = epochs
        said = f"the validation loss was still falling: {before:.3f} an epoch before the end, {last:.3f} at the end"
        yield _setting("more_epochs", said, "method.hyperparameters.n_epochs", n + 1)


def worth_examples(found: Sequence[Group]) -> list[Group]:
    """Return the kinds of miss against which a teacher is asked for examples."""
    return [each for each in found if each.kind not in SHADOWS and len(each.misses) >= MISSES_AT_LEAST]


@dataclass(frozen=True)
class Drafted:
    """A teacher's drafts as lines of OpenAI's form: by whom, under which licence, how many were left out and why.

    `alike` are the lines that may say in other words what a test example says, from 1, each with the place of that.
    """

    lines: Sequence[str]
    by: str
    licence: str
    left_out: Mapping[str, int]
    alike: Mapping[int, str] = field(default_factory=dict)


def of_drafts(group: Group, made: Drafted, tested: Mapping[str, int]) -> Entry:
    """Return the entry of a teacher's drafts."""
    name = f"{named(group.kind)}_drafts"
    out = "".join(f", {n} left out: {reason}" for reason, n in made.left_out.items() if n)
    said = f"{why(group)}. {words.count(len(made.lines), 'draft')} by {made.by}{out}"
    if made.alike:
        told = ", ".join(f"line {at} as {place}" for at, place in made.alike.items())
        said += f". To look at, for it may say in other words what a test example says: {told}"
    keys = {"file": f"{name}.jsonl", "licence": made.licence, "origin": f"Drafted by {made.by}, read and accepted"}
    return Entry(name, "examples", said, group.aims(tested), keys, {f"{name}.jsonl": "".join(made.lines)})


def _setting(name: str, said: str, key: str, value: Any) -> Entry:
    return Entry(name, "setting", said, (), {"key": key, "value": value})


def _still_falling(training: Mapping[str, Any]) -> tuple[int, float, float] | None:
    """Return how many epochs there were, and the validation loss after the last two, where it was still falling."""
    n = training["hyperparameters"].get("n_epochs")
    losses = [each["valid_loss"] for each in training["steps"] if each["valid_loss"] is not None]
    if not isinstance(n, int) or n < 2 or len(losses) < n:
        return None
    before, last = losses[len(losses) - 1 - len(losses) // n], losses[-1]
    return (n, before, last) if last < before * STILL_FALLING else None


def of_suspects(found: Sequence[Suspect]) -> Iterator[Entry]:
    """Yield the training examples that look wrong, to be looked at; what is listed under `drop` is left out."""
    if not found:
        return
    shown = found[:SUSPECTS_AT_MOST]
    more = f", the {len(shown)} surest of which are listed" if len(shown) < len(found) else ""
    said = f"{words.count(len(found), 'training example')} may be labelled wrongly{more}; keep here what is wrong"
    listed = [{"id": each.id, "line": each.place, "why": "; ".join(each.why)} for each in shown]
    yield Entry("suspects", "suspects", said, (), {"drop": listed})


def _yaml(head: Sequence[str], tree: Mapping[str, Any]) -> str:
    """Return a file: comments, then a map, its lists of plain values on lines of their own."""
    return "".join(f"# {line}\n" for line in head) + "\n" + dumped(tree)


def dumped(tree: Mapping[str, Any]) -> str:
    """Return a map as YAML, in its order; lists of values that are short stand on one line."""
    return yaml.dump(dict(tree), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)


class _Dumper(yaml.SafeDumper):
    """Writes texts that are long as blocks and lists of plain values in a row."""


def _listed(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    is_plain = all(not isinstance(each, dict | list) for each in value) and all(len(str(each)) < 30 for each in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=is_plain)


_Dumper.add_representer(list, _listed)
