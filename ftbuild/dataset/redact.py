"""What must not be learnt: addresses, numbers and secrets, taken out of every text of an example.

Owns the rules, as data with the place they are written in, and how a value is replaced. Pure: one example in,
one example out. The first value that a rule finds in an example becomes `[email]`, a second one `[email_2]`,
each wherever it stands in that example, so that a call still says what the request said. Of texts that are JSON
only the strings and numbers change, so JSON stays JSON; a number becomes 0, and still fits its schema.

A rule finds forms, not meaning: what has no form (a name, a street) stays. No rule keeps what it found.
"""

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ftbuild.chat import Message, Tool
from ftbuild.digest import of_value
from ftbuild.example import Example

# Letters of a word beside which no value begins or ends. Japanese writes on without a space, so its letters are none.
LETTER = "0-9A-Za-z\u00c0-\u024f\u0370-\u03ff\u0400-\u04ff"
GAP = "[ \u00a0\u2010-\u2013\uff0d\u30fc-]"
ANY_GAP = f"(?:{GAP}|[.()/])"
GAPS = re.compile(rf"{GAP}+")
ZERO = "[0\uff10]"
WHOLE = "whole"

# Digits and letters of an IBAN by country. Source: SWIFT, IBAN Registry, release 101 (read 2026-11).
IBAN_LENGTHS = {
    **dict.fromkeys(["NO"], 15),
    **dict.fromkeys(["BE"], 16),
    **dict.fromkeys(["DK", "FI", "FK", "FO", "GL", "NL", "SD"], 18),
    **dict.fromkeys(["MK", "SI"], 19),
    **dict.fromkeys(["AT", "BA", "EE", "KZ", "LT", "LU", "MN", "XK"], 20),
    **dict.fromkeys(["CH", "HR", "LI", "LV"], 21),
    **dict.fromkeys(["BG", "BH", "CR", "DE", "GB", "GE", "IE", "ME", "RS", "VA"], 22),
    **dict.fromkeys(["AE", "GI", "IL", "IQ", "OM", "SO", "TL"], 23),
    **dict.fromkeys(["AD", "CZ", "ES", "MD", "PK", "RO", "SA", "SE", "SK", "TN", "VG"], 24),
    **dict.fromkeys(["LY", "PT", "ST"], 25),
    **dict.fromkeys(["IS", "TR"], 26),
    **dict.fromkeys(["BI", "DJ", "FR", "GR", "IT", "MC", "MR", "SM"], 27),
    **dict.fromkeys(["AL", "AZ", "BY", "CY", "DO", "GT", "HN", "HU", "LB", "NI", "PL", "SV"], 28),
    **dict.fromkeys(["BR", "EG", "PS", "QA", "UA"], 29),
    **dict.fromkeys(["JO", "KW", "MU", "YE"], 30),
    **dict.fromkeys(["MT", "SC"], 31),
    **dict.fromkeys(["LC"], 32),
    **dict.fromkeys(["RU"], 33),
}
# How the keys of vendors look. Source: gitleaks v8 rules (MIT) and the vendors' own pages on key formats (2026-11).
KEYS = (
    r"github_pat_[0-9A-Za-z_]{36,}",
    r"gh[pousr]_[0-9A-Za-z]{30,}",
    r"gl(?:pat|ptt|dt|rt)-[0-9A-Za-z_-]{20,}",
    r"sk-(?:ant-|proj-|svcacct-|admin-|or-)?[0-9A-Za-z_-]{20,}",
    r"sk_(?:live|test)_[0-9A-Za-z]{16,}",
    r"[rp]k_(?:live|test)_[0-9A-Za-z]{16,}",
    r"whsec_[0-9A-Za-z+/=]{24,}",
    r"A(?:KIA|SIA|BIA|CCA)[0-9A-Z]{16}",
    r"AIza[0-9A-Za-z_-]{35}",
    r"ya29\.[0-9A-Za-z_-]{20,}",
    r"xox[abeoprs]-[0-9A-Za-z-]{10,}",
    r"xapp-\d-[0-9A-Za-z-]{10,}",
    r"hf_[0-9A-Za-z]{30,}",
    r"npm_[0-9A-Za-z]{36}",
    r"pypi-[0-9A-Za-z_-]{50,}",
    r"SG\.[0-9A-Za-z_-]{16,}\.[0-9A-Za-z_-]{16,}",
    r"do[opr]_v1_[0-9a-f]{64}",
    r"shp(?:at|ca|pa|ss)_[0-9A-Fa-f]{32}",
    r"dapi[0-9a-f]{32}",
    r"gsk_[0-9A-Za-z]{40,}",
    r"nvapi-[0-9A-Za-z_-]{40,}",
    r"\d{8,10}:AA[0-9A-Za-z_-]{33}",
)


def _digits(found: str) -> str:
    """Return the digits and letters of a number that people write with gaps."""
    kept = (each for each in found if each.isdecimal() or (each.isascii() and each.isalpha()))
    return "".join(str(int(each)) if each.isdecimal() else each.upper() for each in kept)


def _is_card(found: str) -> bool:
    """Say whether the Luhn sum fits (ISO/IEC 7812-1, annex B) and an issuer's numbers begin so."""
    if found[0] not in "23456":
        return False
    digits = [int(each) for each in _digits(found)]
    doubled = [2 * each - 9 * (each > 4) for each in digits[-2::-2]]
    return len(digits) > 12 and len(set(digits)) > 1 and (sum(digits[::-2]) + sum(doubled)) % 10 == 0


def _is_iban(found: str) -> bool:
    """Say whether the length is that of the country, and the check digits fit (ISO 13616, ISO 7064 mod 97-10)."""
    text = _digits(found)
    moved = text[4:] + text[:4]
    return len(text) == IBAN_LENGTHS.get(text[:2]) and int("".join(str(int(each, 36)) for each in moved)) % 97 == 1


def _is_address(version: int) -> Callable[[str], bool]:
    def holds(found: str) -> bool:
        try:
            return ipaddress.ip_address(found).version == version
        except ValueError:
            return False

    return holds


def _is_ipv6(found: str) -> bool:
    """Say whether it is an address, and not two names of a program with `::` between them."""
    parts = [each for each in found.split(":") if each]
    return len(parts) > 1 and any(each.isdigit() for each in found) and _is_address(6)(found)


def _is_phone(found: str) -> bool:
    """Say whether it has as many digits as a number in use: E.164 allows 15, and few countries have less than 8."""
    n = sum(each.isdecimal() for each in found)
    return 8 <= n <= 15 if found.lstrip("(").startswith(("+", "\uff0b")) else 9 <= n <= 12


@dataclass(frozen=True)
class Rule:
    """One form of value: `pattern` finds it, `holds` says whether it is one; two that are `alike` are one value.

    A text without `needs` has none. Where a value in groups does not hold, its last groups are left off, but for what
    the pattern takes as WHOLE.
    """

    pattern: re.Pattern[str]
    source: str
    needs: str = ""
    holds: Callable[[str], bool] = lambda _found: True
    alike: Callable[[str], str] = str


def _whole(pattern: str) -> "re.Pattern[str]":
    """Return the pattern of a value that is no part of a longer word."""
    return re.compile(rf"(?<![{LETTER}_])(?:{pattern})(?![{LETTER}_])")


_DATE = r"\d{1,2}[-/. ]\d{1,2}[-/. ]\d{4}(?!\d)"
_INTERNATIONAL = rf"\(?[+\uff0b]\d{{1,3}}(?:{ANY_GAP}{{0,3}}\d){{6,13}}"
_NATIONAL = (
    rf"\(?{ZERO}\d{{1,4}}\)?(?:{GAP}{{1,2}}|/|(?<=\)))\d{{1,5}}(?:{GAP}?\d{{2,8}}){{1,3}}"
    rf"|{ZERO}\d(?:\.\d\d){{4}}|{ZERO}\d{{9,10}}"
)
_NORTH_AMERICA = r"(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])\d{3}[ .-]\d{4}"

# By name, in the order in which they are asked: what one has found is no longer there for the next.
RULES: Mapping[str, Rule] = {
    "private_key": Rule(
        re.compile(
            r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----[\s\S]*?"
            r"(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\Z)"
        ),
        "RFC 7468; PGP: RFC 9580",
        needs="-----BEGIN ",
    ),
    "jwt": Rule(_whole(r"eyJ[0-9A-Za-z_-]{6,}\.eyJ[0-9A-Za-z_-]{6,}\.[0-9A-Za-z_-]*"), "RFC 7519", needs="eyJ"),
    "api_key": Rule(_whole("|".join(KEYS)), "gitleaks v8 (MIT) and the vendors' pages (2026-11)"),
    "url_password": Rule(re.compile(r"(?<=://)[^\s/:@\[\"]+:[^\s/@\"]+(?=@)"), "RFC 3986, userinfo", needs="://"),
    "email": Rule(
        re.compile(
            rf"(?<![{LETTER}])[{LETTER}_](?:[{LETTER}_%+-]|[.'](?=[{LETTER}_%+-])){{0,63}}@"
            rf"[{LETTER}](?:[{LETTER}-]*[{LETTER}])?(?:\.[{LETTER}](?:[{LETTER}-]*[{LETTER}])?)+"
        ),
        "RFC 5321, of its signs those in use: others end a quoted text or a parameter; letters beyond ASCII: RFC 6531",
        needs="@",
        alike=str.casefold,
    ),
    "iban": Rule(
        _whole(r"[A-Za-z]{2}\d{2}(?:[ -]?[0-9A-Za-z]){11,29}"),
        "ISO 13616, IBAN Registry 101",
        holds=_is_iban,
        alike=_digits,
    ),
    "credit_card": Rule(_whole(r"\d(?:[ -]?\d){12,18}"), "ISO/IEC 7812-1", holds=_is_card, alike=_digits),
    "ipv6": Rule(
        re.compile(rf"(?<![{LETTER}:.])[0-9A-Fa-f:][0-9A-Fa-f:.]{{1,43}}[0-9A-Fa-f](?![{LETTER}])"),
        "RFC 4291",
        needs=":",
        holds=_is_ipv6,
        alike=str.casefold,
    ),
    "ipv4": Rule(
        re.compile(rf"(?<![{LETTER}.])\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?![{LETTER}]|\.\d)"),
        "RFC 791",
        holds=_is_address(4),
    ),
    "phone": Rule(
        re.compile(
            rf"(?<![{LETTER}_+.,-])(?!{_DATE})"
            rf"(?:{_INTERNATIONAL}|(?P<{WHOLE}>(?<!\d[ -])(?:{_NATIONAL}|{_NORTH_AMERICA})(?!{GAP}\d)))"
            rf"(?![{LETTER}_]|[.,-]\d)"
        ),
        "ITU-T E.164 (2010), E.123; national forms with 0, and the North American plan",
        holds=_is_phone,
        alike=_digits,
    ),
}
# Members of a schema that say how a value looks or where it stands, not what it is.
STRUCTURE = ("type", "format", "pattern", "$ref", "$id", "$schema")
IN_JSON = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?')


def redacted(example: Example, names: Sequence[str]) -> Example:
    """Return the example without what the rules `names` find, and with how often each found something.

    Its id stays: that is the name of what it said at its source. A group or slice that holds such a value gets
    another name, one group the same in every example.
    """
    found = _Found(names)
    found.learn(_texts(example))
    if not any(map(found.hits, (example.raw, example.group, *example.slices.values()))) and not found.any:
        return replace(example, redacted={}) if example.redacted else example
    group = example.group
    if group != example.original and found.hits(group):
        group = of_value(["group.v1", group])[:16]
    messages = tuple(_message(each, found) for each in example.messages)
    rejected = _message(example.rejected, found) if example.rejected is not None else None
    tools = tuple(Tool.from_json(_schema(each.to_json(), found)) for each in example.tools)
    context = found.text(example.context)
    counts = dict(found.counts)  # the text as it came and the names of slices are no further places
    return replace(
        example,
        messages=messages,
        rejected=rejected,
        tools=tools,
        group=group,
        raw=found.text(example.raw),
        context=context,
        accepted=_schema(example.accepted, found),
        criteria=tuple(each._replace(value=_schema(each.value, found)) for each in example.criteria),
        slices={name: value if name == "source" else found.text(value) for name, value in example.slices.items()},
        redacted={name: counts[name] for name in RULES if name in counts},
    )


def told(counts: Mapping[str, int]) -> str:
    """Return how often each rule found something, for people: "3 email, 1 phone"."""
    return ", ".join(f"{n:,} {name}" for name, n in counts.items())


def totals(redacted: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return how often each rule found something in all examples, in the order of the rules."""
    found: Counter[str] = Counter()
    for each in redacted:
        found.update(each)
    return {name: found[name] for name in RULES if found[name]}


class _Found:
    """What was found in one example: every value with the label that takes its place."""

    def __init__(self, names: Sequence[str]) -> None:
        self._rules = {name: RULES[name] for name in RULES if name in names}
        self._labels: dict[tuple[str, str], str] = {}
        self._again: re.Pattern[str] | None = None
        self._said: dict[str, tuple[str, str]] = {}
        self._taken = ""
        self.counts: Counter[str] = Counter()

    def learn(self, texts: Iterable[str]) -> None:
        """Give a label to every value in the texts, in their order."""
        listed = list(texts)
        self._taken = "\n".join(listed)
        for text in listed:
            for start, end, name in self._spans(text):
                value = text[start:end]
                self._label(name, value)
                self._said[value] = (name, value)
                if (plain := _digits(value)).isdigit() and name in ("phone", "credit_card"):
                    self._said[plain] = (name, value)
        if self._said:
            longest_first = sorted(self._said, key=lambda value: (-len(value), value))
            self._again = re.compile(
                "|".join(rf"(?<![{LETTER}]){re.escape(value)}(?![{LETTER}])" for value in longest_first)
            )

    @property
    def any(self) -> bool:
        """Say whether anything was found."""
        return bool(self._said)

    def hits(self, text: str) -> bool:
        """Say whether there is anything in the text to take out."""
        return next(iter(self._spans(text)), None) is not None

    def text(self, text: str) -> str:
        """Return the text with a label for each value; JSON stays JSON."""
        if text[:1] in ("{", "[", '"') or text.lstrip()[:1] in ("{", "["):
            try:
                json.loads(text)
            except (ValueError, RecursionError):
                return self._plain(text)
            return IN_JSON.sub(self._token, text)
        return self._plain(text)

    def _plain(self, text: str) -> str:
        parts, at = [], 0
        for start, end, name in self._spans(text):
            self.counts[name] += 1
            parts += [text[at:start], self._label(name, text[start:end])]
            at = end
        return "".join([*parts, text[at:]])

    def _token(self, match: "re.Match[str]") -> str:
        """Return a string or number of a JSON text without what is to be taken out, as it was where that is nothing."""
        token = match.group()
        if not token.startswith('"'):
            spans = self._spans(token.lstrip("-"))
            if spans and spans[0][:2] == (0, len(token.lstrip("-"))):
                self.counts[spans[0][2]] += 1
                return "0"
            return token
        said = json.loads(token)
        plain = self.text(said)
        return token if plain == said else json.dumps(plain, ensure_ascii=not _is_plain(token))

    def _spans(self, text: str) -> list[tuple[int, int, str]]:
        """Return where something is to be taken out, in order and apart from each other, with the rule's name."""
        spans: list[tuple[int, int, str]] = []
        for name, rule in self._rules.items():
            at = 0
            while rule.needs in text and (match := rule.pattern.search(text, at)) is not None:
                end = _end(rule, match)
                at = end or match.start() + 1
                if end and not any(start < end and match.start() < stop for start, stop, _ in spans):
                    spans.append((match.start(), end, name))
        for match in self._again.finditer(text) if self._again is not None else ():
            if not any(start < match.end() and match.start() < stop for start, stop, _ in spans):
                spans.append((match.start(), match.end(), self._said[match.group()][0]))
        return sorted(spans)

    def _label(self, name: str, value: str) -> str:
        if value in self._said:
            name, value = self._said[value]
        alike = RULES[name].alike(value)
        if (name, alike) not in self._labels:
            number = 1
            label = f"[{name}]"
            while label in self._labels.values() or label in self._taken:
                number += 1
                label = f"[{name}_{number}]"
            self._labels[name, alike] = label
        return self._labels[name, alike]


def _end(rule: Rule, match: "re.Match[str]") -> int | None:
    """Return where the value ends, None where it is none: after it there may be groups that are no part of it."""
    value = match.group()
    gaps = [] if match.lastgroup == WHOLE else [gap.start() for gap in GAPS.finditer(value)]
    ends = [len(value), *reversed(gaps)]
    return next((match.start() + end for end in ends if rule.holds(value[:end])), None)


def _texts(example: Example) -> Iterator[str]:
    """Yield every text of an example in the order it is read; of JSON its strings and numbers, one by one."""
    for message in (*example.messages, *([example.rejected] if example.rejected else [])):
        for text in (message.name, message.content, message.refusal):
            yield from _pieces(text or "")
        for call in message.tool_calls:
            yield from _pieces(call.arguments)
    for tool in example.tools:
        yield from _strings(tool.to_json())
    if example.context:
        yield example.context
    yield from _strings(example.origin.judged_by())


def _pieces(text: str) -> Iterator[str]:
    try:
        value = json.loads(text) if text.lstrip()[:1] in ("{", "[", '"') else None
    except (ValueError, RecursionError):
        value = None
    if value is None:
        yield text
    else:
        for each in _strings(value):
            yield from _pieces(each) if each != text else (each,)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield name
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _message(message: Message, found: _Found) -> Message:
    def clean(text: str | None) -> str | None:
        return found.text(text) if text else text

    return message._replace(
        content=clean(message.content),
        refusal=clean(message.refusal),
        name=clean(message.name),
        tool_calls=tuple(call._replace(arguments=found.text(call.arguments)) for call in message.tool_calls),
    )


def _schema(value: Any, found: _Found) -> Any:
    """Return a tool's JSON with its texts redacted: what a value may be changes as the value itself does."""
    if isinstance(value, dict):
        return {found.text(name): each if name in STRUCTURE else _schema(each, found) for name, each in value.items()}
    if isinstance(value, list):
        return [_schema(each, found) for each in value]
    return found.text(value) if isinstance(value, str) else value


def _is_plain(token: str) -> bool:
    """Say whether a string of JSON writes its letters as they are, and no \\u00e9."""
    return not re.search(r"\\u[0-9a-fA-F]{4}", token)
