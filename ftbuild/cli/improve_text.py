"""What went wrong, for people and as JSON: misses by kind, where they stand out, what the training data had on them."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftbuild.cli.grid import aligned
from ftbuild.cli.layout import hang
from ftbuild.cli.meaning import NO_VECTORS
from ftbuild.improve.groups import Group, Miss, label
from ftbuild.improve.neighbours import By
from ftbuild.improve.proposal import Proposal
from ftbuild.improve.suspects import Suspect
from ftbuild.report import misses, words

SCHEMA_VERSION = 1
EXAMPLES_AT_MOST, PARTS_AT_MOST, SUSPECTS_AT_MOST = 2, 3, 5
FEW = 30  # validation examples; a kind that comes up once in ten is easily not among fewer
EVIDENCE = {
    "absent": "nothing like it in the training data",
    "contradicted": "contradicted there",
    "taught": "taught there",
}

NEAR: Mapping[By, str] = {"letters": "near", "meaning": "in meaning"}


@dataclass(frozen=True)
class Facts:
    """The run and how much was missed: `missed` of `n` validation examples, `missed_in_test` of `n_test`.

    Where no scorer tells a miss, nothing can be said of any. `in_meaning` says whether what is near was looked for by
    vectors, too.
    """

    run: str
    experiment: str
    arm: str
    against: str
    missed: int
    n: int
    missed_in_test: int
    n_test: int
    n_learnt: int
    tells: bool
    in_meaning: bool = False


def text(
    facts: Facts,
    found: Sequence[Group],
    suspected: Sequence[Suspect],
    proposal: Proposal,
    written: Path | None,
    width: int,
) -> str:
    """Return all of it, at most `width` wide where the words allow it."""
    blocks = [[hang("", each, width) for each in _head(facts)]]
    shown: set[str] = set()
    blocks += [list(_group(each, facts, shown, width)) for each in found]
    if suspected:
        blocks.append(list(_suspects(suspected, width)))
    blocks.append(list(_proposed(proposal, written, width)))
    return "\n\n".join("\n".join(block) for block in blocks)


def _head(facts: Facts) -> Iterator[str]:
    if not facts.tells:
        yield f"{facts.run}: no scorer of {facts.experiment} tells a miss, so there is nothing to group."
        yield "Add one that does: tool_calls, json_schema, style, facts, grounding, constraints or criteria."
        return
    in_test = f"{facts.missed_in_test:,} of {facts.n_test:,} test examples, which are counted and not looked at"
    in_test = in_test if facts.n_test else "there is no test example"
    if not facts.missed:
        yield f"{facts.run}: no miss of {facts.arm} among {words.count(facts.n, 'validation example')}; {in_test}."
        if facts.missed_in_test:
            yield "The validation examples are too few, or too easy: dataset.split.validation says how many there are."
    else:
        yield f"{facts.run}: {facts.arm} misses {facts.missed:,} of {facts.n:,} validation examples; {in_test}."
    if facts.n < FEW:
        yield (
            f"With {words.count(facts.n, 'validation example')} a kind of miss that comes up once in ten may well not "
            "be among them: raise dataset.split.validation."
        )
    if facts.missed:
        by = "letters and by meaning" if facts.in_meaning else f"letters alone: {NO_VECTORS}"
        yield f"What is near in the training data is found by {by}."


def _group(group: Group, facts: Facts, shown: set[str], width: int) -> Iterator[str]:
    """Yield a group with a few examples, of those that are not `shown` yet."""
    told = group.evidence()
    tested, n_tested = group.tested
    yield hang(
        f"{len(group.misses):>4}  ",
        f"{_who(group, facts)}{label(group.kind, facts.against)}   (test: {tested} of {n_tested})",
        width,
    )
    yield hang("      ", ", ".join(f"{n} {EVIDENCE[name]}" for name, n in told.items() if n), width)
    out = [each for each in group.parts if each.stands_out][:PARTS_AT_MOST]
    if out:
        said = ", ".join(f"{each.where} ({each.missed} of {each.n})" for each in out)
        yield hang("      ", f"stands out in {said}", width)
    counted, what = (group.arguments, "arguments") if group.kind == misses.VALUE else (group.tools, "tools")
    if counted:
        said = ", ".join(f"{name} {n}" for name, n in Counter(counted).most_common(5))
        yield hang("      ", f"{what}: {said}", width)
    fresh = [each for each in sorted(group.misses, key=_surest) if each.example["id"] not in shown]
    for miss in fresh[:EXAMPLES_AT_MOST]:
        shown.add(miss.example["id"])
        yield from _example(miss, group.arm, width)


def _who(group: Group, facts: Facts) -> str:
    """Return whose misses these are, where they are not those of the judged arm."""
    return f"{group.arm} " if group.arm != facts.arm else ""


def _surest(miss: Miss) -> tuple[int, int]:
    """Return what puts misses first of which something can be learnt at a glance: few kinds, little like them."""
    return len(miss.kinds), ["absent", "contradicted", "taught"].index(miss.evidence)


def _example(miss: Miss, arm: str, width: int) -> Iterator[str]:
    each = miss.example
    rows = [
        ("asked", one_line(each["input"])),
        ("wanted", one_line(each["target"])),
        (arm, one_line(each["answers"][arm] or "nothing")),
    ]
    for by, called in NEAR.items():
        if nearest := next((one for one in miss.near if one.by == by), None):
            said = f"{one_line(nearest.learnt.asked)}   {nearest.learnt.place}"
            rows.append((f"{called} {nearest.similarity:.2f}", said))
            rows.append(("learnt", one_line(nearest.learnt.answer)))
    yield ""
    widest = max(len(name) for name, _ in rows)
    yield from (hang(f"      {name:{widest}}  ", said, width) for name, said in rows)


def one_line(said: str) -> str:
    """Return a text on one line."""
    return " ".join(said.split())


def _suspects(suspected: Sequence[Suspect], width: int) -> Iterator[str]:
    yield f"{words.count(len(suspected), 'training example')} to look at, for the label may be wrong:"
    rows = [(each.place, "; ".join(each.why)) for each in suspected[:SUSPECTS_AT_MOST]]
    yield from (hang("  ", line, width) for line in aligned(rows))
    if len(suspected) > SUSPECTS_AT_MOST:
        yield f"  and {len(suspected) - SUSPECTS_AT_MOST:,} more"


def _proposed(proposal: Proposal, written: Path | None, width: int) -> Iterator[str]:
    if written is None:
        yield "Nothing is proposed."
        return
    folder = os.path.relpath(written)
    n = len(proposal.entries)
    yield f"Proposed, in {folder}/proposal.yaml:"
    rows = [(each.name, each.kind, each.why) for each in proposal.entries]
    widest = [max(len(row[column]) for row in rows) for column in (0, 1)]
    yield from (hang(f"  {name:{widest[0]}}  {kind:{widest[1]}}  ", why, width) for name, kind, why in rows)
    yield ""
    of_it = "it" if n == 1 else "those you want"
    yield f"Read and edit it, then accept {of_it}: ftbuild accept {folder}{' NAME ...' if n > 1 else ''}"


def to_json(facts: Facts, found: Sequence[Group], suspected: Sequence[Suspect], written: Path | None) -> dict[str, Any]:
    """Return the JSON form."""
    return {
        "schema_version": SCHEMA_VERSION,
        **asdict(facts),
        "groups": [_group_json(each, facts) for each in found],
        "suspects": [{"place": each.place, "why": [*each.why], "weight": each.weight} for each in suspected],
        "proposal": os.path.relpath(written) if written else None,
    }


def _group_json(group: Group, facts: Facts) -> Mapping[str, Any]:
    return {
        "kind": group.kind,
        "arm": group.arm,
        "label": label(group.kind, facts.against),
        "n": len(group.misses),
        "of": group.n,
        "in_test": group.tested[0],
        "evidence": group.evidence(),
        "parts": [{**asdict(each), "stands_out": each.stands_out} for each in group.parts],
        "tools": dict(group.tools),
        "arguments": dict(group.arguments),
        "examples": [
            {
                "id": each.example["id"],
                "path": each.example["path"],
                "line": each.example["line"],
                "kinds": [*each.kinds],
                "evidence": each.evidence,
                "near": [{"place": one.learnt.place, "similarity": one.similarity, "by": one.by} for one in each.near],
            }
            for each in group.misses
        ],
    }
