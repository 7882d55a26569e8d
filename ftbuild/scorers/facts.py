"""Facts kept and facts invented: numbers, times, dates, days, codes and names.

What counts as a number, a time or a code is in `mentions`; this file owns names and the two scores.
A casual message is often all small letters, so a word is a name when the reference (or the input)
writes it large inside a sentence or all in capitals. The scores know nothing of meaning: "not 9"
and "9" hold the same fact.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from ftbuild.scorers.case import Case, Metric, Score
from ftbuild.scorers.mentions import MONTHS, WEEKDAYS, mentions
from ftbuild.style import sentences

_WORD = re.compile(r"(?<![\w@./-])[^\W\d_]+(?:['’-][^\W\d_]+)*(?![\w@])")
_INFLECTIONS = ("s", "es", "d", "ed", "ing", "er", "ers", "ly", "n", "an", "ian", "al")
_GREETINGS = "dear hello hi hey mr mrs ms mx dr prof sir madam team all everyone colleague colleagues"
_NO_NAMES = frozenset(
    (
        f"{_GREETINGS} customer regards sincerely best kind thank thanks please yours ok okay i im ive id ill a am pm "
        "asap fyi btw ps re mb gb kb tb db dec jan feb mar apr jun jul aug sep sept oct nov mon tue tues wed weds thu "
        "thur thurs fri sat sun christmas xmas"
    ).split()
) | {*MONTHS, *WEEKDAYS}


@dataclass(frozen=True)
class Facts:
    """`facts.kept`: share of the facts of both input and reference that the output holds too.

    `facts.invented`: 1 when the output holds a fact that neither of them holds, else 0.
    """

    name: str = "facts"
    version: int = 1
    metrics: tuple[Metric, ...] = (
        Metric("facts.kept", "facts kept", with_target=True),
        Metric("facts.invented", "answers that invent a fact", lower_is_better=True, with_target=True),
    )

    def score(self, case: Case) -> list[Score]:
        """Return both scores; `facts.kept` has no value when there is no fact to keep."""
        kept, lost = kept_and_lost(case)
        invented = invented_facts(case)
        n_facts = len(kept) + len(lost)
        detail = {"kept": kept, "lost": lost, "invented": invented}
        return [
            Score("facts.kept", len(kept) / n_facts if n_facts else None, detail),
            Score("facts.invented", float(bool(invented)), detail),
        ]


def kept_and_lost(case: Case) -> tuple[list[str], list[str]]:
    """Return the facts that input and reference share, parted by whether the output holds them."""
    asked, answered = mentions(case.input), mentions(case.output)
    shared = {str(fact): answered.hold(fact) for fact in mentions(case.target).facts if asked.hold(fact)}
    said, wanted, written = _words(case.input), _words(case.target), _words(case.output)
    known = dict.fromkeys([*_large_words(case.target), *_large_words(case.input)])
    shared |= {f"name {name}": _holds(written, name) for name in known if _holds(said, name) and _holds(wanted, name)}
    return [fact for fact, held in shared.items() if held], [fact for fact, held in shared.items() if not held]


def invented_facts(case: Case) -> list[str]:
    """Return the facts of the output that neither input nor reference supports."""
    asked, wanted = mentions(case.input), mentions(case.target)
    facts = [str(fact) for fact in mentions(case.output).facts if not asked.hold(fact) and not wanted.hold(fact)]
    known = _words(case.input) | _words(case.target)
    names = [name for name in dict.fromkeys(_large_words(case.output)) if not _inflects(name, known)]
    return [*facts, *(f"name {name}" for name in names)]


def _words(text: str) -> frozenset[str]:
    """Return the words in small letters, a hyphenated one whole, joined and in parts."""
    words = [word for match in _WORD.finditer(text) for word in [match.group(), *match.group().split("-")]]
    return frozenset(_plain(word) for word in words)


def _plain(word: str) -> str:
    return re.sub("['’-]", "", re.sub("['’]s?$", "", word.lower()))


def _large_words(text: str) -> list[str]:
    """Return the words that are large inside a sentence, or all capitals; none of a shouted text."""
    letters = [letter for letter in text if letter.isalpha()]
    if 2 * sum(letter.isupper() for letter in letters) > len(letters):
        return []
    starts = _starts(text)
    large = [match for match in _WORD.finditer(text) if match.group()[0].isupper()]
    return [
        _plain(match.group())
        for match in large
        if _plain(match.group()) not in _NO_NAMES
        and (match.start() not in starts or (len(match.group()) > 1 and match.group().isupper()))
    ]


def _starts(text: str) -> set[int]:
    """Return where sentences, and parts after a colon, have their first letter."""
    starts, begin = set(), 0
    for sentence in sentences(text):
        begin = text.index(sentence, begin)
        parts = [0, *(match.end() for match in re.finditer(r"[:;]\s", sentence))]
        letters = (re.search(r"[^\W\d_]", sentence[part:]) for part in parts)
        starts |= {begin + part + letter.start() for part, letter in zip(parts, letters, strict=True) if letter}
        begin += len(sentence)
    return starts


def _holds(words: Collection[str], name: str) -> bool:
    """Say whether the words hold the name, be it as a possessive without its apostrophe."""
    return name in words or f"{name}s" in words


def _inflects(name: str, words: Collection[str]) -> bool:
    """Say whether the name is one of the words or differs from one by an ending (Brazil, Brazilian)."""
    return name in words or any(
        len(short) > 1 and long.startswith(short) and long[len(short) :] in _INFLECTIONS
        for word in words
        for short, long in [sorted((name, word), key=len)]
    )
