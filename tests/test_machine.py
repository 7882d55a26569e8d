"""The engine against a model of it: whatever happens to files, store and settings, in whatever order.

The model is a build system in twenty lines: a key is a label, a text and the bytes above; a record counts while its
bytes are there. After each build the outputs are those of a clean build, what the plan said came true, what ran is
the least that had to, the next build runs nothing, and no job was launched twice.
"""

import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from paying_fixture import Paying, folder_in_memory
from toy_fixture import MAKE, PAY, Silent, join

from ftbuild.digest import of_bytes
from ftbuild.engine import Build, How, Runners, build
from ftbuild.errors import DataError
from ftbuild.plan.action import Action, Input, Kind
from ftbuild.plan.graph import Graph
from ftbuild.store.collect import mark, sweep
from ftbuild.store.index import RACY_NANOSECONDS
from ftbuild.store.locks import using
from ftbuild.store.store import DamagedError, Store
from ftbuild.store.verify import check
from ftbuild.workers import Made

READ = Kind("read", 1, "pure")
ABOVE = {"read": (), "b": ("read",), "e": ("read",), "pay": ("b",), "c": (), "d": ("pay", "c")}
FOREVER = 1e12


def normal(content: bytes) -> bytes:
    """Return what counts in a source: its lines but the empty ones and the comments, without space around them."""
    lines = (line.strip() for line in content.splitlines())
    return b"\n".join(line for line in lines if line and not line.startswith(b"#"))


@dataclass
class Farm(Paying):
    """read -> b -> pay -> d, read -> e, c -> d; the bytes of a source file enter the settings of `read`."""

    texts: Mapping[str, str] = field(default_factory=lambda: {label: f"{label}1" for label in ABOVE})
    keep_going: bool = True

    @property
    def source(self) -> Path:
        return self.folder / "source.txt"

    def graph_with(self, store: Store) -> Graph:
        graph = Graph()
        made: dict[str, str] = {}
        for label, above in ABOVE.items():
            text = store.digest_of(self.source) if label == "read" else self.texts[label]
            kind = {"read": READ, "pay": PAY}.get(label, MAKE)
            inputs = tuple(Input(each, made[each], "out") for each in above)
            made[label] = graph.add(Action(kind, label, "data", {"text": text, "label": label}, inputs))
        return graph

    def runners(self) -> Runners:
        paying = super().runners()
        source = self.source

        def read(settings: Any, inputs: Mapping[str, bytes], given: Mapping[str, Any]) -> Made:
            content = source.read_bytes()
            if of_bytes(content) != settings["text"]:
                raise DataError("changed while the build began")
            return replace(join(settings, inputs, given), outputs={"out": normal(content)})

        return replace(paying, pure={**paying.pure, "read": read})

    def build_on(self) -> Build:
        self.console = Silent()
        store = self.store
        how = How(self.workers, self.jobs, 1, self.keep_going)
        return build(self.graph_with(store), store, self.world, self.console, self.runners(), how)

    def graph(self) -> Graph:
        return self.graph_with(self.store)


@dataclass
class Model:
    """What a store holds: the output of each key, which bytes are there, and which are damaged without a sign."""

    records: dict[tuple[Any, ...], bytes] = field(default_factory=dict)
    present: set[bytes] = field(default_factory=set)
    hidden: set[bytes] = field(default_factory=set)

    def keys(self, content: bytes, texts: Mapping[str, str]) -> dict[str, tuple[tuple[Any, ...], bytes]]:
        """Return the key and the output of each action."""
        outputs: dict[str, bytes] = {}
        found = {}
        for label, above in ABOVE.items():
            own: str | bytes = content if label == "read" else texts[label]
            key = (label, own, *(outputs[each] for each in above))
            said = b"" if texts[label].startswith("#") else texts[label].encode()
            outputs[label] = normal(content) if label == "read" else b"".join(outputs[each] for each in above) + said
            found[label] = (key, outputs[label])
        return found

    def build(self, content: bytes, texts: Mapping[str, str], broken: set[str]) -> tuple[list[str], list[str]]:
        """Return what must run and what fails, and take over what is made."""
        runs, failed, blocked = [], [], set()
        for label, (key, output) in self.keys(content, texts).items():
            if blocked & set(ABOVE[label]):
                blocked.add(label)
            elif key in self.records and (output in self.present or label == "pay"):
                self.present.add(output)  # what was paid for is mended from its second copy
            elif label in broken:
                failed.append(label)
                blocked.add(label)
            else:
                runs.append(label)
                self.records[key] = output
                self.present.add(output)
        return runs, failed

    def lose(self, lost: set[bytes]) -> None:
        self.present -= lost
        self.hidden -= lost

    def collect(self, roots: set[tuple[Any, ...]]) -> None:
        self.records = {key: output for key, output in self.records.items() if key in roots or key[0] == "pay"}
        self.lose(self.present - set(self.records.values()))


class Machine(RuleBasedStateMachine):
    """Rules change the world, and each build is held against the model."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.toy = Farm(self.stack.enter_context(folder_in_memory()) / "project")
        self.model = Model()
        self.lines = [b"one", b"two"]
        self.write()

    def teardown(self) -> None:
        self.stack.close()

    @property
    def content(self) -> bytes:
        return self.toy.source.read_bytes()

    def write(self) -> None:
        self.toy.source.write_bytes(b"".join(line + b"\n" for line in self.lines))

    @initialize()
    def starts_built(self) -> None:
        self.builds(broken=set())

    @rule(line=st.sampled_from([b"one", b"two", b"six"]), at=st.integers(0, 1))
    def edit_a_line(self, line: bytes, at: int) -> None:
        self.lines[at] = line
        self.write()

    @rule(line=st.sampled_from([b"one", b"two", b"six"]), at=st.integers(0, 1))
    def edit_a_line_within_one_tick_of_the_clock(self, line: bytes, at: int) -> None:
        before = self.toy.source.stat()
        if time.time_ns() - before.st_mtime_ns < RACY_NANOSECONDS // 2:
            self.edit_a_line(line, at)
            os.utime(self.toy.source, ns=(before.st_atime_ns, before.st_mtime_ns))

    @rule(line=st.sampled_from([b"", b"  ", b"# a comment", b"# another"]))
    def add_what_counts_for_nothing(self, line: bytes) -> None:
        self.lines = [*self.lines[:2], line]
        self.write()

    @rule()
    def touch_the_source(self) -> None:
        os.utime(self.toy.source)

    @rule(label=st.sampled_from(["b", "c", "d", "e", "pay"]), text=st.sampled_from(["1", "2", "#", "# a comment"]))
    def change_a_setting(self, label: str, text: str) -> None:
        self.toy.texts = {**self.toy.texts, label: text if text.startswith("#") else f"{label}{text}"}

    @rule(label=st.sampled_from(list(ABOVE)))
    def delete_an_output(self, label: str) -> None:
        if (path := self.path_of(label)) is not None:
            path.unlink()
            self.model.lose({self.output_of(label)})

    @rule(label=st.sampled_from(list(ABOVE)), unseen=st.booleans())
    def flip_a_bit(self, label: str, unseen: bool) -> None:
        path = self.path_of(label)
        if path is None or self.output_of(label) not in self.model.present - self.model.hidden - {b""}:
            return
        before = path.stat()
        content = bytearray(path.read_bytes())
        content[0] ^= 1
        path.chmod(0o644)
        path.write_bytes(content)
        at = before.st_mtime_ns if unseen else before.st_mtime_ns + 1_000_000
        os.utime(path, ns=(before.st_atime_ns, at))
        if unseen:
            self.model.hidden.add(self.output_of(label))
        else:
            self.model.lose({self.output_of(label)})

    @rule(rubbish=st.booleans())
    def lose_the_index(self, rubbish: bool) -> None:
        index = self.toy.store.folder / "index.db"
        index.write_bytes(b"rubbish" * 1000) if rubbish else index.unlink(missing_ok=True)
        self.model.lose(set(self.model.hidden))  # what the index does not know is read

    @rule(keep=st.booleans())
    def collect(self, keep: bool) -> None:
        store = self.toy.store
        planned = [each for each in self.toy.plan() if each.key is not None and store.has(each.key)]
        kept = {each.key for each in planned if keep and each.key is not None}
        keys = self.model.keys(self.content, self.toy.texts)
        with using(store.folder, alone=True):
            sweep(store, mark(store, kept, ("pay",), FOREVER))
        self.model.collect({keys[each.action.label][0] for each in planned if each.key in kept})

    @rule()
    def set_the_clock_back(self) -> None:
        self.toy.now -= 1000.0

    @rule(broken=st.sampled_from([set(), set(), {"read"}, {"b"}, {"c"}, {"pay"}, {"c", "pay"}]))
    def builds(self, broken: set[str]) -> None:
        self.toy.broken = broken
        planned = self.toy.statuses()
        done = self.toy.build()
        self.held_against_the_model(done, self.toy.ran, planned, broken)

    @rule()
    def builds_twice_at_once(self) -> None:
        self.toy.broken = set()
        planned = self.toy.statuses()
        self.toy.calls.unlink(missing_ok=True)
        twins = [replace(self.toy), replace(self.toy)]
        dones: list[Build] = []
        threads = [threading.Thread(target=lambda twin=twin: dones.append(twin.build_on())) for twin in twins]  # type: ignore[misc]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.toy.now = max(twin.now for twin in twins)
        assert len(dones) == 2
        self.held_against_the_model(dones[0], self.toy.ran, planned, set())

    def held_against_the_model(self, done: Build, ran: list[str], planned: Mapping[str, str], broken: set[str]) -> None:
        hidden = bool(self.model.hidden)
        runs, failed = self.model.build(self.content, self.toy.texts, broken)
        assert sorted(self.toy.launches().values()) == [1] * len(self.toy.launches())
        if hidden:  # seen only where the bytes are needed: how often an action runs depends on who needs them
            self.settle()
            return
        assert sorted(ran) == sorted(runs + failed)
        assert {each for each, status in planned.items() if status == "RUN"} - {"pay"} <= set(ran)
        assert not {each for each, status in planned.items() if status == "HIT"} & set(ran)
        keys = self.model.keys(self.content, self.toy.texts)
        assert self.toy.outputs(done) == {ran.action.label: keys[ran.action.label][1] for ran in done.ran.values()}
        assert sorted(action.label for action in self.toy.graph() if action.id in done.failed) == sorted(failed)
        if not failed:
            assert set(self.toy.statuses().values()) == {"HIT"}
            self.toy.build()
            assert self.toy.ran == []
        if set(self.model.records.values()) <= self.model.present:
            assert check(self.toy.store, ("pay",), full=True).problems == ()

    def settle(self) -> None:
        """Build until all outputs can be read, as the command line does; then look how the store came out of it."""
        self.toy.broken = set()
        store = self.toy.store
        while True:
            done = self.toy.build()
            try:
                outputs = self.toy.outputs(done)
                break
            except DamagedError as error:
                store.set_aside(error.digest)
        keys = self.model.keys(self.content, self.toy.texts)
        assert outputs == {label: output for label, (_, output) in keys.items()}
        self.model.build(self.content, self.toy.texts, set())
        damaged = {output for output in self.model.present if not _is_whole(store, output)}
        self.model.hidden &= damaged
        self.model.present -= damaged - self.model.hidden

    def output_of(self, label: str) -> bytes:
        return self.model.keys(self.content, self.toy.texts)[label][1]

    def path_of(self, label: str) -> Path | None:
        """Return the artifact of an action; None where it is not there."""
        path = self.toy.store.path(of_bytes(self.output_of(label)))
        return path if path.exists() else None


def _is_whole(store: Store, output: bytes) -> bool:
    path = store.path(of_bytes(output))
    return path.exists() and path.read_bytes() == output


class TestMachine(Machine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=12, stateful_step_count=15)


@pytest.mark.slow
class TestMachineForLonger(Machine.TestCase):  # type: ignore[name-defined,misc]
    settings = settings(max_examples=50, stateful_step_count=30)
