"""What CI reads: annotations of GitHub, suites of JUnit. Knows nothing of what is told in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree

Level = Literal["error", "warning", "notice"]


@dataclass(frozen=True)
class Failure:
    """Why a test case failed: in a line, its kind, and in full."""

    message: str
    kind: str
    text: str


@dataclass(frozen=True)
class Case:
    """A test case, passed where there is no failure."""

    name: str
    failure: Failure | None = None


@dataclass(frozen=True)
class Suite:
    """The test cases of one thing that was looked at, and what else is to be said of it."""

    name: str
    cases: Sequence[Case]
    out: str = ""


def annotation(level: Level, title: str, message: str, path: str | None = None, line: int | None = None) -> str:
    """Return a workflow command of GitHub. Source: docs.github.com, workflow commands (2026-11)."""
    said = {"file": path, "line": str(line) if path and line else None, "title": title}
    properties = ",".join(f"{name}={_property(value)}" for name, value in said.items() if value)
    return f"::{level} {properties}::{message.replace('%', '%25').replace(chr(13), '%0D').replace(chr(10), '%0A')}"


def _property(text: str) -> str:
    for letter, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(letter, code)
    return text


def junit(suites: Sequence[Suite]) -> str:
    """Return the suites as JUnit XML."""
    root = ElementTree.Element("testsuites", _counts([case for suite in suites for case in suite.cases]))
    for suite in suites:
        inside = ElementTree.SubElement(root, "testsuite", {"name": _xml(suite.name), **_counts(suite.cases)})
        for each in suite.cases:
            names = {"classname": _xml(suite.name), "name": _xml(each.name)}
            case = ElementTree.SubElement(inside, "testcase", names)
            if each.failure is not None:
                said = {"message": _xml(each.failure.message), "type": each.failure.kind}
                ElementTree.SubElement(case, "failure", said).text = _xml(each.failure.text)
        if suite.out:
            ElementTree.SubElement(inside, "system-out").text = _xml(suite.out)
    ElementTree.indent(root, " ")
    return str(ElementTree.tostring(root, encoding="unicode", xml_declaration=True))


def _counts(cases: Sequence[Case]) -> dict[str, str]:
    return {"tests": str(len(cases)), "failures": str(sum(case.failure is not None for case in cases))}


def _xml(text: str) -> str:
    """Return the text without the characters that XML cannot hold."""
    return "".join(each if each in "\t\n" or each >= " " else "\ufffd" for each in text)
