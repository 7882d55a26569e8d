"""The table that a person fills in: what is written comes back, whatever it says and whoever saved it in between."""

import csv
from io import StringIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftbuild.improve.cells import Row, guarded, read, unguarded, written

COLUMNS = ("id", "asked", "verdict")
COMPUTED = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # OWASP, CSV Injection
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=5))
@example([("=1+1", "'=1+1", "''-")])
@example([("a\r\nb", "\r", '"'), ("\ufeff", "x\0y", ";,\t")])
@example([("'tis", "会議、\n「30分」", " =1")])
def test_any_text_comes_back_as_it_went(rows: list[tuple[str, str, str]]) -> None:
    named = [dict(zip(COLUMNS, each, strict=True)) for each in rows]
    found, problems = read(written(COLUMNS, named), COLUMNS, "review.csv")
    assert problems == []
    assert [dict(each.cells) for each in found] == [each for each in named if any(each.values())]


@given(TEXTS)
@example("'=1")
@example("  +1")
def test_no_cell_is_computed_by_a_spreadsheet(text: str) -> None:
    cell = guarded(text)
    assert not cell.lstrip(" \u3000").startswith(COMPUTED)
    assert unguarded(cell) == text


def test_what_a_person_types_is_as_it_is() -> None:
    assert [unguarded(each) for each in ("'tis so", "=2", "'", "'a=b")] == ["'tis so", "=2", "'", "'a=b"]


def test_it_begins_with_the_mark_of_utf_8_and_every_row_ends_as_spreadsheets_want_it() -> None:
    assert written(["id"], [{"id": "会議"}]) == b'\xef\xbb\xbf"id"\r\n"\xe4\xbc\x9a\xe8\xad\xb0"\r\n'


@pytest.mark.parametrize(("delimiter", "encoding"), [(";", "utf-8"), ("\t", "utf-16"), (",", "utf-8-sig")])
def test_it_is_read_as_spreadsheets_of_other_countries_save_it(delimiter: str, encoding: str) -> None:
    table = StringIO()
    writer = csv.writer(table, delimiter=delimiter, lineterminator="\n")
    writer.writerows([COLUMNS, ("7", "会議, 30分; ja", "keep")])
    found, problems = read(table.getvalue().encode(encoding), COLUMNS, "review.csv")
    assert (found, problems) == ([Row(2, {"id": "7", "asked": "会議, 30分; ja", "verdict": "keep"})], [])


def test_a_row_has_the_number_of_the_line_on_which_it_begins() -> None:
    rows = [{"id": "1", "asked": "a\nb\nc", "verdict": ""}, {"id": "2", "asked": "", "verdict": ""}]
    found, _ = read(written(COLUMNS, rows), COLUMNS, "review.csv")
    assert [each.line for each in found] == [2, 5]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"id,verdict\n\xe9,keep\n",
            "review.csv: neither UTF-8 nor UTF-16\n"
            "    Letters beyond English would be lost.\n"
            '    Fix: save it again as "CSV UTF-8".    not-utf-8',
        ),
        (
            b"a,b\n1,2\n",
            "review.csv:1: its first line does not name the columns id and asked and verdict\n"
            "    Fix: put back the first line as it was.    no-columns",
        ),
        (
            b"",
            "review.csv:1: its first line does not name the columns id and asked and verdict\n"
            "    Fix: put back the first line as it was.    no-columns",
        ),
    ],
)
def test_a_file_that_is_no_table_of_ours_is_told(content: bytes, said: str) -> None:
    found, problems = read(content, COLUMNS, "review.csv")
    assert (found, [str(each) for each in problems]) == ([], [said])
