"""One function per rule of a style: text -> what breaks the rule, and where.

Owns what each rule of `settings.StyleRules` means, for English where it is not said otherwise. Every rule
is a proxy: it counts what can be counted and knows nothing of tact. A text without violations is "in the style".
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ftbuild.settings import Style
from ftbuild.style import japanese
from ftbuild.style.sentences import SMALL_DAY, SMALL_I, sentences
from ftbuild.style.words import find

_AFTER_IS = (
    "a|an|the|not|no|too|so|really|just|still|already|also|always|never|now|been|got|gone|going|gotta|on|off|out|in|at|up|"
    "down|over|here|there|ready|fine|ok|okay|worth|my|your|his|her|our|their|why|what|how|where"
)
_CONTRACTION = re.compile(
    r"\b\w+(?:n['’]t|['’](?:re|ll|ve|m|d))\b|"
    r"\b(?:it|that|there|what|who|how|where|when|why|here|he|she|let)['’]s\b|"
    rf"\b\w+['’]s(?=\s+(?:{_AFTER_IS})(?![\w-]))|"
    r"\bits(?=\s+(?:a|an|the|not|been|just|still|too|so|gotta|already|always|in|on|at|to|from|for|ok|okay|now)\b)|"
    r"\b(?:do|did|does|is|are|was|were|have|has|had|could|should|would|must)nt\b|"
    r"\b(?:should|could|would|must|you|we|they|i)ve\b|\b(?:it|they|you|that|who)ll\b|\b(?:you|they|it)d\b|"
    r"\b(?:cant|wont|aint|im|youre|theyre|hes|shes|thats|whats|wheres|whos|hows|whens|theres|heres)\b",
    re.IGNORECASE,
)
EMOJI = re.compile(
    "(?:[\U0001f000-\U0001faff\u2600-\u27bf\u2b1b\u2b1c\u2b50\u2b55\u231a-\u23ff\u3030\u303d][\ufe0f\u200d\u20e3]*)+"
    r"|(?<![\d:])[:;=]['’]?-?[()DPpo|](?![\w/])|(?<!\w)(?:[xX]D|<3|\^\^|:-?/)(?![\w/])"
)
_BEGINS_WELL = re.compile(r"[\"'“‘(\[]*[^\W\d_a-z]|[\"'“‘(\[]*[\d$£€¥#]|[\"'“‘]", re.UNICODE)
_SPELLED_SMALL = re.compile(r"[\w-]*[A-Z\d_@/][\w@./-]*|[a-z][\w-]*\.[a-z]{2,}\b")
_ENDS_WELL = re.compile(r"[.?:…][\"'”’)\]]*$")


@dataclass(frozen=True)
class Violation:
    """What breaks a rule, and the character of the text where it begins (from 0)."""

    what: str
    at: int

    def __str__(self) -> str:
        return f"{self.what!r} at character {self.at + 1}"


def contractions(text: str) -> list[Violation]:
    """Return the contractions: those without their apostrophe too, and a noun's where "is" is meant."""
    return _found(_CONTRACTION.finditer(text))


def slang(text: str, words: Iterable[str]) -> list[Violation]:
    """Return the words of the list, in any case."""
    return _found(find(text, words))


def emoji(text: str) -> list[Violation]:
    """Return emoji and faces typed as :) or <3."""
    return _found(EMOJI.finditer(text))


def exclamation_marks(text: str) -> list[Violation]:
    """Return runs of exclamation marks, half and full width."""
    return _found(re.finditer("[!！‼⁉]+", text))


def sentence_case(text: str) -> list[Violation]:
    """Return sentences that begin small or end without . ? or : and every small "i", weekday or month.

    A first word that is spelled small (eu-west-2, iOS, socket_util.cc) is no violation, nor is a
    comma at the end of a line (a salutation). A text without a sentence is one violation.
    """
    if not text.strip():
        return [Violation("", 0)]
    wrong, begin = [], 0
    for sentence in sentences(text):
        begin = text.index(sentence, begin)
        end = begin + len(sentence)
        first = sentence.split()[0]
        if not _BEGINS_WELL.match(sentence) and not _SPELLED_SMALL.match(first):
            wrong.append(Violation(first, begin))
        if not _ENDS_WELL.search(sentence) and not (sentence.endswith(",") and "\n" in text[end:]):
            wrong.append(Violation(sentence.split()[-1], end - len(sentence.split()[-1])))
        begin = end
    small = [*SMALL_I.finditer(text), *SMALL_DAY.finditer(text)]
    return sorted(wrong + _found(small), key=lambda violation: violation.at)


def sentence_words(text: str, at_most: int) -> list[Violation]:
    """Return the first words of the sentences that have more than `at_most` words."""
    wrong, begin = [], 0
    for sentence in sentences(text):
        begin = text.index(sentence, begin)
        words = sentence.split()
        if len(words) > at_most:
            wrong.append(Violation(f"{' '.join(words[:5])} ... ({len(words)} words)", begin))
        begin += len(sentence)
    return wrong


def desu_masu(text: str) -> list[Violation]:
    """Return the ends of the Japanese sentences that are in plain form; a text without a sentence is one violation."""
    if not japanese.sentence_ends(text):
        return [Violation("", 0)]
    return [Violation(end, at) for end, at in japanese.plain_ends(text)]


def banned(text: str, phrases: Iterable[str], language: str = "en") -> list[Violation]:
    """Return the phrases that occur: as whole words in any case, in Japanese anywhere."""
    return _found((japanese.find if language == "ja" else find)(text, phrases))


def required(text: str, phrases: Iterable[str]) -> list[Violation]:
    """Return nothing when at least one of the phrases occurs, else one violation that names them."""
    wanted = tuple(phrases)
    return [] if find(text, wanted) else [Violation(f"none of {', '.join(wanted)}", 0)]


def _found(matches: Iterable[re.Match[str]]) -> list[Violation]:
    return [Violation(match.group(), match.start()) for match in matches]


RULES = (
    "contractions",
    "slang",
    "emoji",
    "exclamation_marks",
    "sentence_case",
    "sentence_words",
    "desu_masu",
    "banned",
    "required",
)


def violations(text: str, style: Style) -> dict[str, list[str]]:
    """Return for each rule that is on what breaks it, in the order of `RULES`; [] when it is kept."""
    rules = style.rules
    checks: dict[str, tuple[bool, Callable[[], list[Violation]]]] = {
        "contractions": (rules.contractions is not None, lambda: contractions(text)),
        "slang": (rules.slang is not None, lambda: slang(text, style.slang)),
        "emoji": (rules.emoji is not None, lambda: emoji(text)),
        "exclamation_marks": (rules.exclamation_marks is not None, lambda: exclamation_marks(text)),
        "sentence_case": (rules.sentence_case is not None, lambda: sentence_case(text)),
        "sentence_words": (
            rules.sentence_words is not None,
            lambda: sentence_words(text, rules.sentence_words.at_most if rules.sentence_words else 0),
        ),
        "desu_masu": (rules.desu_masu is not None, lambda: desu_masu(text)),
        "banned": (bool(rules.banned), lambda: banned(text, rules.banned, style.language)),
        "required": (bool(rules.required), lambda: required(text, rules.required)),
    }
    return {name: [str(each) for each in check()] for name, (is_on, check) in checks.items() if is_on}
