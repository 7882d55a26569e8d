"""Register by what can be counted: ends of Japanese sentences, informal markers of English ones.

`register.desu_masu_ends` looks at the last words of a sentence and nowhere else: no politeness is measured. How well
it tells polite from plain was measured; see `style.japanese`. An informal marker is a contraction, an emoji, an
exclamation mark or a word of the style's slang; a text without any may still be rude.
"""

from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.words import is_unspaced
from ftbuild.settings import Style
from ftbuild.style import japanese, sentences
from ftbuild.style.check import contractions, emoji, exclamation_marks, slang

DESU_MASU = Metric("register.desu_masu_ends", "sentence ends in です or ます", proxy=True)
MIXED = Metric("register.mixed_ends", "answers that mix both ends", proxy=True, lower_is_better=True)
MARKERS = Metric("register.informal_markers", "sentences with an informal marker", proxy=True, lower_is_better=True)
REGISTER = (DESU_MASU, MIXED, MARKERS)


@dataclass(frozen=True)
class Register:
    """Shares of an answer's sentences: where one ends in Japanese the first two metrics, else the third.

    `register.mixed_ends` is 1 where some sentences end in です or ます and others do not. An answer without a sentence
    has no value.
    """

    style: Style
    name: str = "register"
    version: int = 1
    metrics: tuple[Metric, ...] = REGISTER

    def score(self, case: Case) -> list[Score]:
        """Return the scores; details list the ends in plain form, or the markers."""
        n_ends = sum(is_unspaced(said[-japanese.SHOWN :]) for said, _ in japanese.sentence_ends(case.output))
        if n_ends:
            plain = [tail for tail, _ in japanese.plain_ends(case.output) if is_unspaced(tail)]
            is_mixed = float(0 < len(plain) < n_ends)
            return [
                Score(DESU_MASU.name, 1 - len(plain) / n_ends, plain),
                Score(MIXED.name, is_mixed),
                Score(MARKERS.name, None),
            ]
        found = [self._markers(each) for each in sentences(case.output)]
        share = sum(map(bool, found)) / len(found) if found else None
        markers = [each for one in found for each in one]
        return [Score(DESU_MASU.name, None), Score(MIXED.name, None), Score(MARKERS.name, share, markers)]

    def _markers(self, text: str) -> list[str]:
        found = (contractions(text), slang(text, self.style.slang), emoji(text), exclamation_marks(text))
        return [each.what for some in found for each in some]
