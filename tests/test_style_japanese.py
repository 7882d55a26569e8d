"""Japanese: where a sentence ends, whether it ends in です or ます, and phrases without spaces around."""

import json
from pathlib import Path

import pytest

from ftbuild.compose import compose
from ftbuild.style import violations
from ftbuild.style.check import banned, desu_masu

ROOT = Path(__file__).parents[1]
DATA = ROOT / "datasets" / "sources" / "polite_ja"


@pytest.mark.parametrize(
    "text",
    [
        "お世話になっております。",
        "明日は休業日です",
        "ご確認いただけますか？ よろしくお願いいたします。",
        "「了解だ」とのことでした。",
        "午前（9時だ）に伺います。",
        "お待ちしておりますので、ご連絡ください。",
        "少々お待ちくださいませ。",
        "まだ届いておりませんが。",
        "ありがとうございました…",
    ],
)
def test_polite_ends_are_kept(text: str) -> None:
    assert desu_masu(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("明日は休み。", ["'明日は休み' at character 1"]),
        ("届きました。助かったよ！", ["'助かったよ' at character 7"]),
        ("行けないかも\nごめん", ["'行けないかも' at character 1", "'ごめん' at character 8"]),
        ("了解だよ", ["'了解だよ' at character 1"]),
        ("", ["'' at character 1"]),
        ("「です」", ["'' at character 1"]),
    ],
)
def test_plain_ends_are_told(text: str, said: list[str]) -> None:
    assert [str(each) for each in desu_masu(text)] == said


def test_phrases_are_found_without_spaces_around() -> None:
    assert [str(each) for each in banned("はい了解ですよ", ["了解です", "了解"], "ja")] == ["'了解です' at character 3"]


def test_every_polite_text_of_the_data_keeps_the_style_and_no_plain_one_does() -> None:
    style = compose(ROOT, ["+experiment=tone_polite_ja"]).settings.style
    pairs = [
        json.loads(line) for name in ("pairs", "unseen") for line in (DATA / f"{name}.jsonl").read_bytes().splitlines()
    ]
    assert len(pairs) == 300
    assert [each["polite"] for each in pairs if any(violations(each["polite"], style).values())] == []
    assert [each["plain"] for each in pairs if not any(violations(each["plain"], style).values())] == []
