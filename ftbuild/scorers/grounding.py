"""Answers out of passages: do the passages say it, is the right one named, and what of those that hold no answer.

`grounding.supported` is K-Precision of Adlakha et al. 2023, "Evaluating Correctness and Faithfulness of
Instruction-Following Models for Question Answering": the share of the answer's words that stand in its passages, of
scripts without spaces the pairs of characters. Words in another order say something else, so it is a proxy. What was
asked for is absent where the reference abstains, or where the passage that it is taken from is none of those given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.mentions import mentions
from ftbuild.scorers.words import folded, is_unspaced, occurring, words
from ftbuild.settings.evaluation import ScorerOptions

SUPPORTED = Metric("grounding.supported", "words that the passages hold", proxy=True)
CITATION = Metric("grounding.citation", "names the right passage and no other")
ABSTAINS = Metric("grounding.abstains", "says so where the answer is absent")
INVENTED = Metric("grounding.invented", "answers with a number that no passage holds", lower_is_better=True)
ANSWERS = Metric("grounding.answers", "answers where the answer is there")
GROUNDING = (SUPPORTED, CITATION, ABSTAINS)
GROUNDING_TOO = (INVENTED, ANSWERS)


@dataclass(frozen=True)
class Grounding:
    """Scores of an answer against the passages of its example; without any, no metric has a value.

    An arm that is asked without them is scored by the same ones, so that it can be compared with one that has them.

    `supported` and `invented` are of answers that do not abstain; `invented` is 1 where a number, time, date or code
    stands neither in a passage nor in the question. `citation` and `answers` have a value where the passage that the
    answer is taken from is among those given, `abstains` where the answer is absent. A passage is named by its whole
    name, in its own letters, anywhere in the answer.
    """

    options: ScorerOptions
    name: str = "grounding"
    version: int = 1
    metrics: tuple[Metric, ...] = (*GROUNDING, *GROUNDING_TOO)

    def score(self, case: Case) -> list[Score]:
        """Return the scores; details list the words and facts that no passage holds, and the passages named."""
        if not case.passages:
            return [Score(metric.name, None) for metric in self.metrics]
        held = "\n".join(f"{each.name}\n{each.text}" for each in case.passages)
        gold = {folded(each.name) for each in case.passages if each.gold}
        is_known = any(each.gold is not None for each in case.passages)
        is_absent = bool(occurring(case.target, self.options.abstains)) or (is_known and not gold)
        abstains = bool(occurring(case.output, self.options.abstains))
        named = _named(case.output, [folded(each.name) for each in case.passages])
        said, there = list(_pieces(case.output)), set(_pieces(held))
        missing = [each for each in said if each not in there]
        known = mentions(f"{held}\n{case.input}")
        invented = [str(fact) for fact in mentions(case.output).facts if not known.hold(fact)]
        is_answerable = bool(gold) and not is_absent
        supported = 1 - len(missing) / len(said) if said else 0.0
        return [
            Score(SUPPORTED.name, None if abstains else supported, list(dict.fromkeys(missing))),
            Score(CITATION.name, float(bool(named) and set(named) <= gold) if is_answerable else None, named),
            Score(ABSTAINS.name, float(abstains) if is_absent else None),
            Score(INVENTED.name, None if abstains else float(bool(invented)), invented),
            Score(ANSWERS.name, float(bool(said) and not abstains) if is_answerable else None),
        ]


def _named(text: str, names: Sequence[str]) -> list[str]:
    """Return which names occur in a text, each once; one inside a longer one does not count."""
    left, found = folded(text), []
    for name in sorted(set(names), key=lambda each: (-len(each), each)):
        if name and name in left:
            found.append(name)
            left = left.replace(name, "\0")
    return found


def _pieces(text: str) -> Iterator[str]:
    """Yield the words of a text, those of scripts without spaces as pairs of neighbours."""
    found = words(text)
    for number, word in enumerate(found):
        if not is_unspaced(word):
            yield word
            continue
        after = found[number + 1] if number + 1 < len(found) else ""
        before = found[number - 1] if number else ""
        if is_unspaced(after):
            yield word + after
        elif not is_unspaced(before):
            yield word
