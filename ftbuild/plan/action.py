"""An action: a step with inputs and outputs, and the key that says whether it is up to date.

key = sha256 of the canonical JSON of {record type, kind, version, keyed settings, digests of the
inputs}. Inputs enter by the digest of what they hold, so an upstream change that yields the same
bytes stops there. Maps whose order carries meaning must be given as lists of [name, value].
The design and what was rejected: Mokhov, Mitchell, Peyton Jones, "Build Systems a la Carte" (2020).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from ftbuild.digest import canonical, of_bytes
from ftbuild.example import Split

Contract = Literal["pure", "paid", "calls"]
Stage = Literal["data", "train", "test", "confirm"]
# What ends the label of an action that does on another split what one without it does on the test split.
CONFIRM, VALIDATION = " confirm", " validation"


@dataclass(frozen=True)
class Kind:
    """A kind of action. A change of `version` makes all its results stale.

    pure: free to rebuild. paid: launched once, first result wins. calls: made of cached requests.
    """

    name: str
    version: int
    contract: Contract


INGEST = Kind("ingest", 8, "pure")
EMBED = Kind("embed", 1, "calls")
INDEX = Kind("index", 1, "pure")
DATASET = Kind("dataset", 4, "pure")
WALL = Kind("wall", 1, "pure")
TARGETS = Kind("targets", 1, "pure")
RENDER = Kind("render", 2, "pure")
JOB = Kind("job", 1, "paid")
CHECKPOINT = Kind("checkpoint", 1, "calls")  # its job is paid for by itself
CHOOSE = Kind("choose", 1, "calls")
PREDICT = Kind("predict", 1, "calls")
JUDGE = Kind("judge", 1, "calls")
SCORE = Kind("score", 2, "pure")
DRAFT = Kind("draft", 1, "calls")  # of no build: `improve` asks for it
COMPARE = Kind("compare", 3, "pure")
REPORT = Kind("report", 6, "pure")


_LIFE = (
    *(INGEST, EMBED, INDEX, DATASET, WALL, TARGETS, RENDER),
    *(JOB, CHECKPOINT, CHOOSE, PREDICT, JUDGE, SCORE, COMPARE, REPORT, DRAFT),
)
KINDS = {kind.name: kind for kind in _LIFE}


@dataclass(frozen=True)
class Input:
    """One input: `output` of the action with id `action`, playing `role`."""

    role: str
    action: str
    output: str


class SettingsText(Mapping[str, Any]):
    """Keyed settings kept as canonical JSON, and parsed when somebody looks inside."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def _parsed(self) -> dict[str, Any]:
        return json.loads(self.text)  # type: ignore[no-any-return]

    def __getitem__(self, name: str) -> Any:
        return self._parsed[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed)

    def __len__(self) -> int:
        return len(self._parsed)


@dataclass(frozen=True)
class Action:
    """One step. `settings` hold just what changes its result: it sees nothing else of the config.

    `label` is what people call it ("dataset", "base", "job"); `stage` one of data, train, test, confirm. It runs
    when the actions `after` are done, too; it reads nothing of them, so they are in no key.
    """

    kind: Kind
    label: str
    stage: Stage
    settings: Mapping[str, Any]
    inputs: tuple[Input, ...] = ()
    after: tuple[str, ...] = ()

    @cached_property
    def settings_text(self) -> str:
        """Return the settings as canonical JSON."""
        return self.settings.text if isinstance(self.settings, SettingsText) else canonical(self.settings).decode()

    @cached_property
    def id(self) -> str:
        """Return the digest of kind, keyed settings and input ids; equal ids are one node."""
        return self._digest("ftbuild.node.v1", [[each.role, each.action, each.output] for each in self.inputs])

    @property
    def arm(self) -> str:
        """Return the arm whose answers it asks for, where that is what it does."""
        return self.label.removesuffix(CONFIRM).removesuffix(VALIDATION)

    @property
    def split(self) -> Split:
        """Return the split whose examples it asks for, where that is what it does."""
        return (
            "confirm" if self.label.endswith(CONFIRM) else "validation" if self.label.endswith(VALIDATION) else "test"
        )

    def preimage(self, digests: Mapping[str, str]) -> dict[str, Any]:
        """Return what the key is the digest of; `digests` maps each role to the digest of its content."""
        return {
            "type": "ftbuild.action.v1",
            "kind": self.kind.name,
            "version": self.kind.version,
            "settings": json.loads(self.settings_text),
            "inputs": [[each.role, digests[each.role]] for each in self.inputs],
        }

    def key(self, digests: Mapping[str, str]) -> str:
        """Return the key, 64 hex digits: the digest of the canonical JSON of the pre-image."""
        return self._digest("ftbuild.action.v1", [[each.role, digests[each.role]] for each in self.inputs])

    def _digest(self, record_type: str, inputs: list[list[str]]) -> str:
        """Return the digest of the canonical JSON of all members, put together from what is canonical already."""
        said = json.dumps(inputs, ensure_ascii=False, separators=(",", ":"))
        text = (
            f'{{"inputs":{said},"kind":"{self.kind.name}","settings":{self.settings_text},'
            f'"type":"{record_type}","version":{self.kind.version}}}'
        )
        return of_bytes(text.encode())
