"""The cache of compositions: what is kept, what it rests on, and that it never shows but in time."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from config_fixture import TONE, Own

from ftbuild.compose import compose, compose_sweep
from ftbuild.composed import Composed, from_json, to_json
from ftbuild.compositions import ENTRIES_AT_MOST, Compositions, compositions
from ftbuild.errors import ConfigError

LATER = 10.0  # seconds after the last change of a file: it cannot change again without a sign
MINE = "# Mine.   ftbuild +experiment=mine\ndefaults: [tone_formal]\n"


class Asked:
    """A project and a cache, asked again and again; a document is attached to what was not kept yet."""

    def __init__(self, folder: Path) -> None:
        self.own = Own(folder / "project")
        self.own.experiment("mine", MINE)
        self.cache = folder / "cache"
        self.environment: dict[str, str] = {}

    def ask(self, *overrides: str, multirun: bool = False, after: float = LATER) -> Compositions:
        return compositions(
            self.own.folder,
            overrides or ("+experiment=mine",),
            multirun=multirun,
            environment=self.environment,
            now=time.time() + after,
            cache=self.cache,
        )

    def is_kept(self, *overrides: str, multirun: bool = False, after: float = LATER) -> bool:
        """Return whether the answer was in the cache, and see to it that the next one is."""
        found = self.ask(*overrides, multirun=multirun, after=after)
        kept = found.attached() is not None
        found.attach(b"seen")
        return kept

    @property
    def entries(self) -> list[Path]:
        return sorted((self.cache / "compositions").glob("*"))


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def told(composed: Composed) -> tuple[object, ...]:
    return (composed, json.dumps(composed.tree), list(composed.origins.items()), composed.settings)


def test_what_is_kept_is_what_was_composed(asked: Asked) -> None:
    asked.ask()
    [kept] = asked.ask().points
    assert told(kept) == told(compose(asked.own.folder, ["+experiment=mine"]))
    assert kept.source_path("pairs") == compose(asked.own.folder, [TONE]).source_path("pairs")


def test_a_kept_sweep_is_what_was_composed(asked: Asked) -> None:
    words = (TONE, "method.hyperparameters.n_epochs=1,2", "style.system='a','${goal.metric}'")
    asked.ask(*words, multirun=True)
    kept = asked.ask(*words, multirun=True).points
    assert [told(each) for each in kept] == [told(each) for each in compose_sweep(asked.own.folder, words).points]


def test_points_say_what_they_share_once(tmp_path: Path) -> None:
    few, many = (to_json(compose_sweep(tmp_path, [TONE, f"seed=range({n})"]).points) for n in (2, 100))
    assert len(json.dumps(many)) - len(json.dumps(few)) < 98 * 200
    assert [each.settings.seed for each in from_json(many)] == list(range(100))


def test_the_same_words_are_composed_once(asked: Asked) -> None:
    assert [asked.is_kept(), asked.is_kept(), asked.is_kept("+experiment=mine", "seed=2")] == [False, True, False]
    assert [asked.is_kept("seed=2", "+experiment=mine"), asked.is_kept(multirun=True)] == [False, False]


def edited(own: Own) -> None:
    own.experiment("mine", MINE + "seed: 8\n")


def added(own: Own) -> None:
    own.write("conf/local/machine.yaml", "seed: 8\n")


def removed(own: Own) -> None:
    (own.folder / "conf/experiment/other.yaml").unlink()


def renamed(own: Own) -> None:
    (own.folder / "conf/experiment/other.yaml").rename(own.folder / "conf/experiment/another.yaml")


def touched(own: Own) -> None:
    os.utime(own.folder / "conf/experiment/mine.yaml", (1, 1))


@pytest.mark.parametrize("change", [edited, added, removed, renamed, touched])
def test_a_changed_tree_is_composed_anew(asked: Asked, change: object) -> None:
    asked.own.experiment("other", MINE)
    assert [asked.is_kept(), asked.is_kept()] == [False, True]
    assert callable(change)
    change(asked.own)
    assert [asked.is_kept(), asked.is_kept()] == [False, True]


@pytest.mark.parametrize(("after", "kept"), [(0, False), (LATER, True)])
def test_a_file_changed_just_before_is_compared_by_its_bytes(asked: Asked, after: float, kept: bool) -> None:
    path = asked.own.folder / "conf/experiment/mine.yaml"
    asked.own.experiment("mine", MINE + "seed: 1\n")
    assert asked.is_kept(after=after) is False
    before = path.stat()
    with path.open("r+b") as file:  # as an editor that is quick, on a disk whose clock is coarse
        file.write(path.read_bytes().replace(b"seed: 1", b"seed: 2"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert asked.is_kept(after=after) is kept


def test_a_variable_the_config_asks_for_is_part_of_the_question(asked: Asked) -> None:
    asked.own.experiment("mine", MINE + "style: {system: '${oc.env:TONE,none}'}\n")
    seen = []
    for environment in ({}, {}, {"TONE": "a"}, {"TONE": "a", "OTHER": "b"}, {"TONE": "c"}, {}):
        asked.environment = environment
        found = asked.ask()
        seen.append((found.points[0].settings.style.system, found.attached()))
        found.attach(b"seen")
    assert seen == [("none", None), ("none", b"seen"), ("a", None), ("a", b"seen"), ("c", None), ("none", None)]


def test_a_variable_that_is_not_set_is_told_in_words_of_omegaconf(asked: Asked) -> None:
    asked.own.experiment("mine", MINE + "style: {system: '${oc.env:TONE}'}\n")
    with pytest.raises(ConfigError) as error:
        asked.ask()
    assert "Environment variable 'TONE' not found" in str(error.value)
    assert asked.entries == []


@pytest.mark.parametrize("value", ["${now:%S}", "${oc.decode:1}", "a ${oc.create:b}", "${${style.language}:x}"])
def test_what_may_be_another_the_next_time_is_not_kept(asked: Asked, value: str) -> None:
    asked.own.experiment("mine", MINE + f"style: {{language: en}}\n# {value}\n")
    assert asked.ask().points[0].experiment == "mine"
    assert asked.entries == []


def test_a_clock_on_the_command_line_is_not_kept(asked: Asked) -> None:
    assert asked.ask(TONE, "style.system='at ${now:%Y}'").points[0].settings.style.system.startswith("at 2")
    assert asked.entries == []


def test_a_variable_that_asks_for_the_clock_is_not_kept(asked: Asked) -> None:
    asked.environment = {"TONE": "${now:%Y}"}
    asked.ask(TONE, "style.system='${oc.env:TONE}'")
    assert asked.entries == []


def test_what_json_would_change_is_not_kept(asked: Asked) -> None:
    assert [asked.is_kept(TONE, "style.expand={1: one}"), asked.is_kept(TONE, "style.expand={1: one}")] == [False] * 2


def test_problems_are_not_kept(asked: Asked) -> None:
    for _ in range(2):
        with pytest.raises(ConfigError):
            asked.ask("+experiment=mine", "sed=1")
    assert asked.entries == []


def test_only_the_owner_reads_it_and_no_variable_is_written_out(asked: Asked) -> None:
    asked.environment = {"TONE": "do not tell"}
    asked.own.experiment("mine", MINE + "dataset: {limit: '${oc.select:x,null}'}\n")
    asked.ask()
    [entry] = asked.entries
    assert (stat.S_IMODE(entry.stat().st_mode), stat.S_IMODE(entry.parent.stat().st_mode)) == (0o600, 0o700)
    assert b"do not tell" not in entry.read_bytes()


@pytest.mark.parametrize("damage", [b"", b"\n", b"nonsense", b"0" * 64 + b"\n{}\n{}"])
def test_a_damaged_entry_is_composed_anew(asked: Asked, damage: bytes) -> None:
    asked.is_kept()
    [entry] = asked.entries
    entry.write_bytes(damage)
    assert [asked.is_kept(), asked.is_kept()] == [False, True]


def test_a_torn_entry_is_composed_anew(asked: Asked) -> None:
    asked.is_kept()
    [entry] = asked.entries
    entry.write_bytes(entry.read_bytes()[:-1])
    assert asked.is_kept() is False


def test_a_cache_that_cannot_be_written_is_none(asked: Asked) -> None:
    asked.cache.write_text("a file where the folder should be")
    assert [asked.is_kept(), asked.is_kept()] == [False, False]


def test_a_document_stays_with_the_compositions_and_goes_with_them(asked: Asked) -> None:
    first = asked.ask()
    assert first.attached() is None
    first.attach(b"one\ntwo\n")
    assert (first.attached(), asked.ask().attached()) == (b"one\ntwo\n",) * 2
    asked.ask().attach(b"three")
    assert asked.ask().attached() == b"three"
    edited(asked.own)
    assert asked.ask().attached() is None


def test_the_newest_entries_are_kept(asked: Asked) -> None:
    asked.ask(TONE)
    for number in range(ENTRIES_AT_MOST):
        old = asked.cache / "compositions" / f"{number}.json"
        old.write_bytes(b"")
        os.utime(old, (number + 1, number + 1))
    asked.ask()
    assert (len(asked.entries), asked.is_kept(TONE), asked.cache.joinpath("compositions/0.json").exists()) == (
        ENTRIES_AT_MOST,
        False,
        False,
    )


def test_an_answer_from_the_cache_imports_nothing_heavy(asked: Asked) -> None:
    asked.ask(TONE)
    program = f"""
import sys
from pathlib import Path
from ftbuild.compositions import compositions
[found] = compositions(
    Path({str(asked.own.folder)!r}),
    [{TONE!r}],
    multirun=False,
    environment={{}},
    now=0.0,
    cache=Path({str(asked.cache)!r}),
).points
print(found.experiment, *({{"hydra", "omegaconf", "yaml", "pydantic"}} & set(sys.modules)))
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "tone_formal\n"
