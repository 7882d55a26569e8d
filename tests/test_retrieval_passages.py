"""Documents become passages: cut at headings and blank lines, nothing lost, no code torn, every line told right."""

import gzip
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftbuild.problem import Problem
from ftbuild.retrieval.markdown import parsed
from ftbuild.retrieval.passages import Passage, read

LEAVE = """\
---
title: not read
tags: [hr]
---
# Leave

What everybody should know.

## Carrying over

Six days.

### Exceptions ###

```sh
# no heading
leave --carry 6

```

After a long illness, twelve.
## Empty
## Special days
Two days for a wedding.
"""


def passages(text: str, path: str = "hr/leave.md", longest: int = 1200) -> list[Passage]:
    found = list(read(text.encode(), path, longest))
    assert [each for each in found if isinstance(each, Problem) and each.severity == "error"] == []
    return [each for each in found if isinstance(each, Passage)]


def refused(content: bytes, path: str = "a.md") -> str:
    [problem] = read(content, path)
    return str(problem)


def test_markdown_is_cut_at_its_headings() -> None:
    assert passages(LEAVE) == [
        Passage("hr/leave.md", 5, "Leave", (), "What everybody should know."),
        Passage("hr/leave.md", 9, "Leave", ("Carrying over",), "Six days."),
        Passage(
            "hr/leave.md",
            13,
            "Leave",
            ("Carrying over", "Exceptions"),
            "```sh\n# no heading\nleave --carry 6\n\n```\n\nAfter a long illness, twelve.",
        ),
        Passage("hr/leave.md", 23, "Leave", ("Special days",), "Two days for a wedding."),
    ]


def test_a_passage_has_a_name_and_a_json_form() -> None:
    passage = passages(LEAVE)[2]
    assert passage.name == "Leave, Carrying over, Exceptions"
    assert passage.to_json() == {
        "document": "leave.md",
        "path": "hr/leave.md",
        "line": 13,
        "title": "Leave",
        "headings": ["Carrying over", "Exceptions"],
        "text": passage.text,
    }
    assert Passage.from_json(passage.to_json()) == passage


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# A\n## B\nx", [("B",)]),
        ("## B\nx\n# A\ny", [("B",), ("A",)]),  # no title: the document does not begin with one
        ("# A\nx\n# C\n## D\ny", [(), ("C", "D")]),
        ("Title\n=====\nx\n\nPart\n---\ny", [(), ("Part",)]),
        ("x\n\n---\n\ny", [()]),  # a rule, no heading
        ("one\ntwo\n---\ny", [()]),
        ("- item\n---\ny", [()]),
        ("#tag and # sign\nx", [()]),
        ("    # code\nx", [()]),
        ("   ### C ##\nx", [("C",)]),
        ("####### seven\nx", [()]),
        ("## \nx\n## B\ny", [(), ("B",)]),
        ("~~~\n# no\n```\n# no\n~~~~\n## A\nx", [(), ("A",)]),
        ("- see\n  ```\n  # no\n  ```\n## B\nx", [(), ("B",)]),
        ("a ``` b\n## A\nx", [(), ("A",)]),
        ("``` a ``` b\n## A\nx", [(), ("A",)]),
        ("---\nkey: value\n---\nx", [()]),
        ("+++\nkey = 1\n+++\n## B\nx", [("B",)]),
        ("---\n# why\n\nkey:\n  - a\n...\nx", [()]),
        ("---\n\n# A\n## B\n\n---\nx", [("B",)]),  # rules, no front matter
        ("---\nkey: value\nSome text.\n\n---\nx", [()]),
    ],
)
def test_what_is_a_heading(text: str, headings: list[tuple[str, ...]]) -> None:
    assert [each.headings for each in passages(text)] == headings


def test_text_is_cut_at_blank_lines() -> None:
    text = "# one\nstill one\n\n\n  two  \n\nthree, which is long"
    assert passages(text, "n.txt", 30) == [
        Passage("n.txt", 1, "n", (), "# one\nstill one\n\n\n  two"),
        Passage("n.txt", 7, "n", (), "three, which is long"),
    ]
    assert [each.title for each in passages("x", "a/LICENCE")] == ["LICENCE"]


def test_a_long_section_is_cut_at_paragraphs_and_a_long_paragraph_is_told() -> None:
    found = list(read(b"## S\n\naaaa\n\nbbbb\n\n" + b"c" * 30 + b"\n\ndd", "a.md", 10))
    assert [(each.line, each.text) for each in found if isinstance(each, Passage)] == [
        (1, "aaaa\n\nbbbb"),
        (7, "c" * 30),
        (9, "dd"),
    ]
    assert [str(each) for each in found if isinstance(each, Problem)] == [
        "a.md:7: warning: a paragraph of 30 characters, and a passage should have 10\n"
        "    A paragraph is never cut. A long passage takes the place of others, and costs tokens in every prompt.\n"
        "    Fix: put blank lines where it can be cut, or raise passage_characters of the source.    long-passage"
    ]


@pytest.mark.parametrize(
    "content",
    [
        LEAVE.encode("utf-8-sig"),
        LEAVE.encode("utf-16"),
        b"\xfe\xff" + LEAVE.encode("utf-16-be"),
        LEAVE.replace("\n", "\r\n").encode(),
        LEAVE.replace("\n", "\r").encode(),
        gzip.compress(LEAVE.encode()),
    ],
)
def test_the_bytes_it_is_written_in_do_not_matter(content: bytes) -> None:
    assert list(read(content, "hr/leave.md")) == passages(LEAVE)


def test_other_ends_of_lines_end_none() -> None:
    assert [each.text for each in passages("a\u2028b\x0cc\u0085d\n\ne")] == ["a\u2028b\x0cc\u0085d\n\ne"]


def test_a_compressed_document_is_what_its_name_says_without_the_ending() -> None:
    [passage] = read(gzip.compress(b"# A\n## B\nx"), "d/a.md.gz")
    assert isinstance(passage, Passage)
    assert (passage.name, passage.to_json()["document"]) == ("A, B", "a.md")


def test_what_is_no_text_is_refused() -> None:
    assert refused(b"# A\n\nna\xefve\n") == (
        "a.md:3: not UTF-8 (byte 3 of the line)\n    Fix: save it as UTF-8.    not-utf8"
    )
    assert refused(b"\xff\xfea") == (
        "a.md: begins as UTF-16-LE and does not go on so\n    Fix: save it as UTF-8.    not-utf8"
    )
    assert refused("a\nb".encode("utf-16-le")) == (
        "a.md:1: a NUL character\n"
        "    UTF-16 without a byte order mark looks so, and what is no text.\n"
        "    Fix: save it as UTF-8.    not-text"
    )
    assert refused(gzip.compress(b"# A" * 99)[:-20]) == (
        "a.md: cannot be unpacked: it is not whole\n    Fix: copy the file again, whole.    not-gzip"
    )


def test_a_document_without_text_is_told() -> None:
    fix = "\n    Fix: write it, or take the file out.    empty-document"
    assert refused(b"") == f"a.md: warning: no text in the file{fix}"
    assert refused(b" \n\t\n") == f"a.md: warning: no text in the file{fix}"
    assert refused(b"# A\n## B\n") == f"a.md: warning: headings and no text below them{fix}"


def test_a_fence_that_nothing_closes_is_told() -> None:
    problem, passage = read(b"# A\n\n```\n# no\n", "a.md")
    assert str(problem) == (
        "a.md:3: warning: fenced code that nothing closes: all the rest is taken for code\n"
        "    Fix: close it with a line of the same marks.    open-fence"
    )
    assert isinstance(passage, Passage)
    assert passage.text.startswith("```\n# no")


LINES = st.sampled_from(
    [
        "",
        "",
        "word",
        "two words",
        "# One",
        "## Two",
        "### Three",
        "```",
        "~~~",
        "---",
        "===",
        "- item",
        "    code",
        "あ い",
    ]
)


@given(st.lists(LINES, max_size=30), st.integers(1, 60))
def test_every_line_that_says_something_stands_in_one_passage_in_order(lines: list[str], longest: int) -> None:
    known = parsed(lines)
    wanted = [
        line.rstrip()
        for section in known.sections
        for line in lines[section.start : section.end]
        if re.search(r"\w", line)
    ]
    found = passages("\n".join(lines), longest=longest)
    said = [line for each in found for line in each.text.split("\n")]
    assert [line for line in said if re.search(r"\w", line)] == wanted
    assert [each.line for each in found] == sorted(each.line for each in found)
    for each in found:
        assert lines[each.line - 1].strip()
        first = each.text.split("\n")[0].rstrip()
        assert lines[each.line - 1].rstrip() == first or lines[each.line - 1].lstrip("# ") in (
            each.title,
            *each.headings,
        )


@given(st.lists(LINES, max_size=30), st.integers(1, 60))
def test_a_passage_keeps_the_bound_or_is_one_paragraph_and_no_code_is_torn(lines: list[str], longest: int) -> None:
    text = "\n".join(lines)
    closed = parsed(lines).open_fence is None
    for each in passages(text, longest=longest):
        inner = parsed(each.text.split("\n"))
        assert inner.open_fence is None or not closed
        says = [bool(line.strip()) or code for line, code in zip(each.text.split("\n"), inner.fenced, strict=True)]
        assert len(each.text) <= longest or all(says)
