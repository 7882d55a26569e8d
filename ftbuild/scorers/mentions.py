"""The facts a text mentions: numbers, times, dates, days, codes; and which words could be names.

Owns what counts as a fact of an English work message and when two spellings mean the same.
Knows nothing of cases or scores. The readers below stand in the order in which they read: what
one has taken, the next no longer sees.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal

MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905
WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()  # noqa: SIM905
_MONTH_OF = {month[:3]: month for month in MONTHS} | {month: month for month in MONTHS} | {"sept": "september"}
_WEEKDAY_OF = {day[:3]: day for day in WEEKDAYS} | {day: day for day in WEEKDAYS}
_WEEKDAY_OF |= {"tues": "tuesday", "weds": "wednesday", "thur": "thursday", "thurs": "thursday"}
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
_ONES = f"zero one two three four five six seven eight nine {_TEENS}".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()  # noqa: SIM905
_ONES_TH = {"first": 1, "second": 2, "third": 3, "fifth": 5, "eighth": 8, "ninth": 9, "twelfth": 12}
_ONES_TH |= {f"{word}th": value for value, word in enumerate(_ONES) if value > 3 and value not in (5, 8, 9, 12)}
_CARDINALS = {word: value for value, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_ORDINALS = _ONES_TH | {f"{word[:-1]}ieth": _CARDINALS[word] for word in _TENS}
_SCALES = {"dozen": 12, "hundred": 100, "k": 1000, "thousand": 1000, "million": 10**6, "billion": 10**9}
_UNIT_OF = {
    **dict.fromkeys(["$", "dollar", "dollars", "buck", "bucks", "usd"], "$"),
    **dict.fromkeys(["€", "euro", "euros", "eur"], "€"),
    **dict.fromkeys(["£", "pound", "pounds", "gbp", "quid"], "£"),
    **dict.fromkeys(["¥", "yen", "jpy"], "¥"),
    **dict.fromkeys(["%", "percent", "pct"], "%"),
    **dict.fromkeys(["cent", "cents"], "c"),
}
_WEAK: dict[str, Decimal | int] = {
    **dict.fromkeys(["a", "an", "one", "once", "single", "first"], 1),
    "half": Decimal("0.5"),
    "no": 0,
    "none": 0,
}
_WEAK |= dict.fromkeys(["second", "twice", "both", "couple", "pair"], 2)

Reader = Callable[[re.Match[str]], "list[Fact] | None"]
_READERS: list[tuple[re.Pattern[str], Reader]] = []


@dataclass(frozen=True)
class Fact:
    """One fact; two are the same when their `forms` meet. It also supports the forms it `implies`."""

    kind: str
    value: str
    forms: frozenset[str] = field(compare=False)
    implies: frozenset[str] = field(default=frozenset(), compare=False)

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


@dataclass(frozen=True)
class Mentions:
    """The facts of a text, each once, and `weak` forms that support a fact without being one."""

    facts: tuple[Fact, ...]
    weak: frozenset[str]

    def hold(self, fact: Fact) -> bool:
        """Say whether the text says this fact, however it is spelled."""
        return not fact.forms.isdisjoint(self.weak.union(*(each.forms | each.implies for each in self.facts)))


def mentions(text: str) -> Mentions:
    """Return the facts of a text. Names are left out: which words are names, no single text tells."""
    text = re.sub("[‘’]", "'", re.sub("[–‑]", "-", re.sub("[\u00a0\u202f]", " ", text)))
    facts: list[Fact] = []
    rest = text
    for pattern, reader in _READERS:
        for match in pattern.finditer(rest):
            found = reader(match)
            if found is not None:
                facts += found
                rest = rest[: match.start()] + "\x1f" * len(match.group()) + rest[match.end() :]
    return Mentions(tuple(dict.fromkeys(facts)), _weak_forms(text))


def _reads(pattern: str, flags: re.RegexFlag = re.IGNORECASE) -> Callable[[Reader], Reader]:
    """Register a reader: it turns a match into facts, or returns None to leave it to later readers."""

    def register(reader: Reader) -> Reader:
        _READERS.append((re.compile(pattern, flags), reader))
        return reader

    return register


def _either(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=lambda word: (-len(word), word)))


# -- facts ---------------------------------------------------------------------------------------


def _number(value: Decimal | int, unit: str = "") -> Fact:
    """Return a number; without a unit it is the same as with any."""
    digits = format(Decimal(value).normalize(), "f")
    units = [unit] if unit else ["", *sorted(set(_UNIT_OF.values()))]
    shown = unit + (digits if "." not in digits else f"{value:.2f}") if unit in ("$", "€", "£", "¥") else digits + unit
    return Fact("number", shown, frozenset(f"number:{digits}{each}" for each in units))


def _time(hour: int, minute: int, half: str) -> Fact | None:
    """Return a time of day; an hour up to 12 without a.m. or p.m. may be in either `half`."""
    if hour > 23 or minute > 59 or (half and not 1 <= hour <= 12):
        return None
    exact = hour % 12 + (12 if half == "p" else 0) if half else hour
    hours = _number(exact).forms | _number(exact % 12 or 12).forms
    if half or not 1 <= hour <= 12:
        return Fact("time", f"{exact:02}:{minute:02}", frozenset({f"time:{exact:02}:{minute:02}"}), hours)
    forms = {f"time:{each:02}:{minute:02}" for each in (hour % 12, hour % 12 + 12)}
    return Fact("time", f"{hour}:{minute:02}", frozenset({*forms, f"clock:{hour}:{minute:02}"}), hours)


def _date(month: str, day: int) -> Fact:
    implies = _number(day).forms | {f"month:{month}"}
    return Fact("date", f"{month.capitalize()} {day}", frozenset({f"date:{month} {day}"}), implies)


def _named(kind: str, value: str, *also: str) -> Fact:
    return Fact(kind, value, frozenset({f"{kind}:{value}", *also}))


def _weak_forms(text: str) -> frozenset[str]:
    """Return what supports a fact without being one: "twice" for 2, "until 6" for 6:00."""
    words = set(re.findall(r"[a-z]+", text.lower())) & set(_WEAK)
    forms = {form for word in words for form in _number(_WEAK[word]).forms}
    forms |= {f"clock:{int(match[1])}:00" for match in _CLOCK_HOUR.finditer(text)}
    return frozenset(forms)


_CLOCK_HOUR = re.compile(
    r"\b(?:at|till?|until|by|around|after|before|between|from|to|and|or)\s+(1[0-2]|[1-9])(?=\s*(?:$|[.,?!;)]|"
    rf"\b(?:on|to|and|or|so|but|because|if|unless|pls|please|n|tomorrow|tmrw|today|tonight|{_either(_WEEKDAY_OF)})\b))",
    re.IGNORECASE,
)


# -- addresses, times and dates ------------------------------------------------------------------

_MONTH = rf"(?P<month>{_either(_MONTH_OF)})\b\.?"
_DAY = r"(?:the\s+)?(?P<day>0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?\b(?![:%]|[.,]\d|\s*%)"
_YEAR = r"(?:,?\s+(?P<year>(?:19|20)\d\d)\b)?"
_HALF = r"(?P<half>[ap])\.?\s?m\b(?:\.(?=\s+[a-z]))?"


@_reads(r"(?:https?://|www\.)[^\s,]*[\w/]|[\w.+-]+@\w[\w-]*(?:\.\w+)+")
def _read_address(match: re.Match[str]) -> list[Fact]:
    return [_named("code", match.group().lower())]


@_reads(rf"\b(?P<hour>\d\d?)(?:[:.](?P<minute>\d\d))?\s*{_HALF}")
@_reads(
    r"\b(?P<hour>\d\d?)(?::(?P<minute>\d\d))?\s+(?:in\s+the\s+(?P<half>morning|afternoon|evening)|at\s+(?P<night>night))\b"
)
@_reads(r"\b(?P<hour>\d\d?)\s*o'?clock\b")
@_reads(r"(?<![\d:./])(?P<hour>\d\d?):(?P<minute>\d\d)(?![\d:])")
def _read_time(match: re.Match[str]) -> list[Fact] | None:
    said = {"minute": None, "half": None, "night": None} | match.groupdict()
    half = {"a": "a", "m": "a", "p": "p", "e": "p"}.get((said["half"] or "")[:1].lower(), "")
    if (said["half"] or "").lower() == "afternoon" or said["night"]:
        half = "p"
    hour = match["hour"]
    if hour.startswith("0") and not half and hour != "00":
        half = "a"
    time = _time(int(hour), int(said["minute"] or 0), half)
    return [time] if time else None


@_reads(r"\b(?P<year>(?:19|20)\d\d)-(?P<month>\d\d)-(?P<day>\d\d)\b")
def _read_iso_date(match: re.Match[str]) -> list[Fact] | None:
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return [_date(MONTHS[month - 1], day), _number(int(match["year"]))]


@_reads(rf"\b{_MONTH},?\s+{_DAY}(?!\s*[ap]\.?m\b){_YEAR}")
@_reads(rf"\b{_DAY}\s+(?:of\s+)?{_MONTH}{_YEAR}")
def _read_date(match: re.Match[str]) -> list[Fact]:
    date = _date(_MONTH_OF[match["month"].lower()], int(match["day"]))
    return [date, _number(int(match["year"]))] if match["year"] else [date]


@_reads(r"(?<![\w/.-])(\d\d?)/(\d\d?)(?![\w/-])")
def _read_slashed(match: re.Match[str]) -> list[Fact]:
    first, second = int(match[1]), int(match[2])
    read = [(first, second), (second, first)]
    dates = {f"date:{MONTHS[month - 1]} {day}" for month, day in read if 1 <= month <= 12 and 1 <= day <= 31}
    return [_named("number", match.group(), *dates)]


@_reads(
    r"\b(?:(?P<day>end\s+of\s+(?:the\s+|this\s+|your\s+)?(?:business\s+|working\s+)?day|eod|cob)"
    r"|(?P<week>end\s+of\s+(?:the\s+|this\s+)?week|eow)|(?P<tomorrow>tomorrow|tmrw|tmr|tomo|2morrow)|(?P<tonight>tonight|tonite|2nite)"
    r"|(?P<today>todays?)|(?P<yesterday>yesterdays?|yday)|(?P<noon>noon|midday)|(?P<midnight>midnight)|(?P<christmas>christmas|xmas))\b"
)
def _read_day(match: re.Match[str]) -> list[Fact]:
    same = {"noon": ["time:12:00"], "midnight": ["time:00:00"]}
    said = match.lastgroup or ""
    name = {"day": "end of day", "week": "end of week"}.get(said, said)
    return [_named("day", name, *same.get(name, []))]


# -- weekdays and months; sat, sun, may and march are words too -----------------------------------


@_reads(r"\b(?:on|by|till?|until|since|before|after|this|next|last|every|my|to|or|and|n)\s+(?P<name>sat|sun)\b")
@_reads(r"\b(?P<name>sat|sun)(?=\s+(?:morning|afternoon|evening|night|nite|shift|the\s+\d|at\s+\d))")
@_reads(r"(?<=[a-z,;] )(?P<name>Sat|Sun)\b", re.NOFLAG)
@_reads(rf"\b(?P<name>{_either(_WEEKDAY_OF.keys() - {'sat', 'sun'})})(?:'?s)?\b")
def _read_weekday(match: re.Match[str]) -> list[Fact]:
    return [_named("weekday", _WEEKDAY_OF[match["name"].lower()].capitalize())]


@_reads(
    r"\b(?:in|by|since|until|till?|last|next|this|from|of|the|every|my|our|your|mid|early|late|for)[\s-]+"
    r"(?P<name>may|march)\b(?!\s+(?:i|we|you|not|be|have)\b)"
)
@_reads(r"(?<=[a-z,;] )(?P<name>May|March)\b(?!\s+(?:I|we|you)\b)", re.NOFLAG)
@_reads(rf"\b(?P<name>{_either(_MONTH_OF.keys() - {'may', 'march', 'mar'})})(?:'s)?\b")
def _read_month(match: re.Match[str]) -> list[Fact]:
    month = _MONTH_OF[match["name"].lower()]
    return [Fact("month", month.capitalize(), frozenset({f"month:{month}"}))]


# -- numbers and codes ---------------------------------------------------------------------------

_DIGITS = r"(?P<digits>\d+(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?!\.?\d)"
_SIGN = r"(?<![\w.])(?<!\w-)(?P<sign>[$€£¥])?\s?(?<![\w.])"
_MEASURE = (
    "gb|mb|kb|tb|secs?|s|ms|mins?|m|hrs?|hours?|h|km|kg|g|mg|cm|mm|ml|l|px|x|v|hz|db|ft|ish|days?|ppl|st|nd|rd|th"
)
_UNIT_WORD = _either(word for word in _UNIT_OF if word.isalpha())
_UNIT = rf"(?:\s?(?P<percent>%)|[\s-](?:US\s+)?(?P<unit>{_UNIT_WORD}|per\s+cent)\b)?"


@_reads(r"(?<![\w.-])(\d\d?)\s?-\s?(\d\d?)(?![\w-]|\.\d)")
def _read_range(match: re.Match[str]) -> list[Fact]:
    return [_number(int(match[1])), _number(int(match[2]))]


@_reads(rf"{_SIGN}#?{_DIGITS}(?:(?P<k>k)|{_MEASURE})\b(?![-.]\w)")
@_reads(rf"{_SIGN}#?{_DIGITS}(?=-[a-z]{{2,}}\b)(?:-(?P<unit>dollars?|euros?|pounds?|percent)\b)?")
def _read_number_with_measure(match: re.Match[str]) -> list[Fact]:
    said = {"k": None, "unit": None} | match.groupdict()
    unit = _UNIT_OF.get((said["sign"] or said["unit"] or "").lower(), "")
    return [_number(_decimal(match["digits"]) * (1000 if said["k"] else 1), unit)]


@_reads(r"(?<![\w.])#?(?=[\w./:-]*\d)(?=[\w./:-]*[a-z_]|\d+-\d+|\d+(?:\.\d+){2,})\w+(?:[-./:]\w+)*")
@_reads(r"\b[a-z]\w*_\w*[a-z]\w*(?:\.\w+)*|\b[a-z][\w-]+(?:\.[a-z][\w-]+)+\b")
def _read_code(match: re.Match[str]) -> list[Fact] | None:
    token = match.group().lower().lstrip("#")
    if re.fullmatch(r"\d[\d,]*(?:\.\d+)?", token):
        return None
    token = re.sub(r"(?<=\d)s$", "", token)
    numbers = frozenset[str]().union(*(_number(Decimal(each)).forms for each in re.findall(r"\d+", token)))
    return [Fact("code", token, frozenset({f"code:{token}"}), numbers)]


@_reads(rf"{_SIGN}#?{_DIGITS}(?:(?P<k>k)\b|[\s-](?P<scale>hundred|thousand|million|billion|dozen)\b)?{_UNIT}")
def _read_number(match: re.Match[str]) -> list[Fact]:
    scale = _SCALES[(match["k"] or match["scale"]).lower()] if match["k"] or match["scale"] else 1
    said = match["sign"] or match["percent"] or (match["unit"] or "").lower().replace("per cent", "percent")
    return [_number(_decimal(match["digits"]) * scale, _UNIT_OF.get(said, ""))]


_WORD = _either((_CARDINALS | _ORDINALS).keys() - {"first", "second"})
_TENS_AND_ONES = rf"(?:{_either(_TENS)})[\s-]+(?:{_either([*_ONES[1:10], *_ONES_TH])})"
_SCALE_WORD = "hundred|thousand|million|billion|dozen"


@_reads(
    rf"\b(?:{_TENS_AND_ONES}|(?:an?\s+|half\s+a\s+)?(?:{_SCALE_WORD})|{_WORD})\b"
    rf"(?:[\s-]+(?:and\s+)?(?:{_SCALE_WORD}|{_TENS_AND_ONES}|{_WORD})\b)*{_UNIT}"
)
def _read_number_in_words(match: re.Match[str]) -> list[Fact] | None:
    end = match.start("unit") if match["unit"] else match.start("percent") if match["percent"] else match.end()
    words = re.findall("[a-z]+", match.string[match.start() : end].lower())
    if words in (["one"], ["a", "dozen", "of"]):
        return None
    total, part = Decimal(0), Decimal(0)
    for word in words:
        if word in _SCALES:
            part = (part or Decimal(1)) * _SCALES[word]
            total, part = (total + part, Decimal(0)) if _SCALES[word] > 100 else (total, part)
        elif word == "half":
            part = Decimal("0.5")
        elif word not in ("a", "an", "and"):
            part += (_CARDINALS | _ORDINALS)[word]
    unit = (match["percent"] or match["unit"] or "").lower().replace("per cent", "percent")
    return [_number(total + part, _UNIT_OF.get(unit, ""))]


def _decimal(digits: str) -> Decimal:
    return Decimal(digits.replace(",", ""))
