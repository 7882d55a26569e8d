"""Sentences: where one ends, and how it is spelled.

The only sentence splitter of the project, for English work messages. An abbreviation (Mr., e.g.,
No. 5) ends no sentence; a.m., p.m. and etc. end one only before a large letter that is no
weekday or month.
"""

import re

from ftbuild.style.words import capitalised

_NEVER_LAST = "mr. mrs. ms. dr. prof. st. vs. e.g. i.e. approx. cf. incl. jr. sr.".split()  # noqa: SIM905
_MONTHS = "jan. feb. mar. apr. jun. jul. aug. sep. sept. oct. nov. dec."
_BEFORE_DIGIT = f"no. nos. ext. fig. p. pp. ch. sec. art. par. vol. {_MONTHS}".split()
_MAYBE_LAST = "a.m. p.m. etc. inc. ltd. co. corp. u.s. u.k. est. pst. cst. utc. gmt.".split()  # noqa: SIM905
_DAYS = re.compile(
    r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|[ECMP][SD]?T\b|UTC|GMT"
)
_STOP = re.compile(r"(?:[.?!…]+[\"'”’)\]]*(?=\s|$)|\n\s*\n|(?<=[,:])[ \t]*\n)\s*")
_ASKS = re.compile(
    r"(?:who|whom|whose|what|when|where|why|which|how)\b|"
    r"(?:can|could|would|will|do|does|did|is|are|am|was|were|may|might|have|has|had|should|shall|must)\s+"
    r"(?:not\s+)?(?:i|you|he|she|it|we|they|this|that|there|these|those|anyone|anybody|someone|somebody|your|my|our|the)\b",
    re.IGNORECASE,
)
SMALL_I = re.compile(r"(?<![\w&/'’.(-])i(?![\w&/)-]|\.\w)")

SMALL_DAY = re.compile(
    r"(?<![\w&/\\@.=-])(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|january|february|april|june|july|august|"
    r"september|october|november|december)(?![\w&/\\@=-]|\.\w)"
)


def sentences(text: str) -> list[str]:
    """Return the sentences in order, trimmed; together they hold every word. "" has none.

    A blank line, and a line break after a comma or colon, end a sentence too (a salutation).
    """
    found, begin = [], 0
    for stop in _STOP.finditer(text):
        if not _is_inside(text[begin : stop.end()].split(), text[stop.end() :]):
            found.append(text[begin : stop.end()].strip())
            begin = stop.end()
    return [sentence for sentence in [*found, text[begin:].strip()] if sentence]


def _is_inside(words: list[str], rest: str) -> bool:
    """Say whether the stop after `words` belongs to an abbreviation, seen what follows."""
    last = words[-1].lower().lstrip("\"'“‘([") if words else ""
    if last in _NEVER_LAST:
        return bool(rest)
    if last in _BEFORE_DIGIT:
        return rest[:1].isdigit()
    if last in _MAYBE_LAST:
        return bool(rest) and (not rest[0].isupper() or _DAYS.match(rest) is not None)
    return last.endswith(("...", "…")) and rest[:1].islower()


def sentence_case(text: str) -> str:
    """Return the text with large letters (sentence starts, "I", weekdays, months) and a stop at each end.

    The last sentence gets a question mark when it begins like a question, else a full stop.
    """
    text = SMALL_DAY.sub(lambda match: capitalised(match.group()), SMALL_I.sub("I", text))
    done = [_with_stop(capitalised(sentence)) for sentence in sentences(text)]
    return " ".join(done)


def _with_stop(sentence: str) -> str:
    bare = sentence.rstrip("\"'”’)]")
    if bare.endswith((".", "?", "!", "…", ":")) or not bare:
        return sentence
    return sentence.rstrip(",;- ") + ("?" if _ASKS.match(sentence) else ".")
