"""What an answer was told to be like and a machine can verify: its length, bullets, words, ends, language.

In the manner of Zhou et al. 2023, "Instruction-Following Evaluation for Large Language Models" (IFEval): one metric a
constraint, and all of them together. Nothing is judged that is not counted. The language is py3langid's guess, which
needs a sentence: of a word or two it is often wrong.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.words import folded, is_unspaced, occurring, words
from ftbuild.settings.evaluation import CONSTRAINTS, Count, ScorerOptions
from ftbuild.style import japanese, sentences

_BULLET = re.compile(r"^[ \t]*(?:[-*•‣◦–][ \t]+|・)\S", re.MULTILINE)

ALL_MET = Metric("constraints.all_met", "constraints, all met")


@dataclass(frozen=True)
class Constraints:
    """1 where a constraint is met, else 0; an empty answer meets none.

    Words and phrases are found whole and in any case, in Japanese anywhere.
    """

    options: ScorerOptions
    name: str = "constraints"
    version: int = 1

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Return `constraints.all_met` and the constraints that are set."""
        return (ALL_MET, *map(constraint_metric, self.options.constraints))

    def score(self, case: Case) -> list[Score]:
        """Return the scores; the detail of a constraint says how it is not met."""
        is_blank = not case.output.strip()
        found = {name: CHECKS[name](case.output, self.options) for name in self.options.constraints}
        missed = [name for name, wrong in found.items() if wrong or is_blank]
        return [
            Score(ALL_MET.name, float(not missed), missed),
            *(Score(f"constraints.{name}", float(name not in missed), wrong) for name, wrong in found.items()),
        ]


def constraint_metric(name: str) -> Metric:
    """Return the metric of one constraint."""
    return Metric(f"constraints.{name}", name.replace("_", " "))


def _counted(what: str, n: int, wanted: Count | None) -> list[str]:
    assert wanted is not None
    if wanted.at_most is not None and n > wanted.at_most:
        return [f"{n} {what}, at most {wanted.at_most}"]
    if wanted.at_least is not None and n < wanted.at_least:
        return [f"{n} {what}, at least {wanted.at_least}"]
    return []


def n_sentences(text: str) -> int:
    """Return how many sentences a text has."""
    return len(japanese.sentence_ends(text) if is_unspaced(text) else sentences(text))


def _required(text: str, options: ScorerOptions) -> list[str]:
    there = occurring(text, options.required)
    return [f"no {each!r}" for each in options.required if each not in there]


def _start(text: str, options: ScorerOptions) -> list[str]:
    wanted = folded(options.starts_with or "")
    return [] if folded(text).startswith(wanted) else [f"starts otherwise than {wanted!r}"]


def _end(text: str, options: ScorerOptions) -> list[str]:
    wanted = folded(options.ends_with or "")
    return [] if folded(text).endswith(wanted) else [f"ends otherwise than {wanted!r}"]


def _language(text: str, options: ScorerOptions) -> list[str]:
    import py3langid  # reads its model when imported

    found, _ = py3langid.classify(text)
    return [] if found == options.language else [f"is in {found}"]


CHECKS: dict[str, Callable[[str, ScorerOptions], list[str]]] = {
    "words": lambda text, options: _counted("words", len(words(text)), options.words),
    "characters": lambda text, options: _counted("characters", len(text.strip()), options.characters),
    "sentences": lambda text, options: _counted("sentences", n_sentences(text), options.sentences),
    "bullets": lambda text, options: _counted("bullets", len(_BULLET.findall(text)), options.bullets),
    "banned": lambda text, options: occurring(text, options.banned),
    "required": _required,
    "starts_with": _start,
    "ends_with": _end,
    "language": _language,
}
assert tuple(CHECKS) == CONSTRAINTS
