"""The training lines of tone_formal, byte for byte: a change of them is a decision, and a new job for everybody."""

from pathlib import Path

from dataset_fixture import build

from ftbuild.compose import compose
from ftbuild.digest import of_bytes
from ftbuild.render import supervised
from ftbuild.sources import read

ROOT = Path(__file__).parent.parent


def test_the_lines_of_tone_formal_are_these_bytes() -> None:
    composed = compose(ROOT, ["+experiment=tone_formal"])
    settings = composed.settings
    examples = [
        example
        for name, source in settings.dataset.sources.items()
        for example in read(composed.source_path(name).read_bytes(), name, source)[0]
    ]
    dataset, _ = build(examples, settings.style, settings.dataset.split, None)
    lines = {
        split: b"".join(supervised.line(example.conversation()) + b"\n" for example in kept)
        for split, kept in dataset.splits.items()
    }
    assert {split: (content.count(b"\n"), of_bytes(content)[:16]) for split, content in lines.items()} == {
        "train": (884, "7d249baac41784cb"),
        "validation": (26, "5a5209ab8eac35ff"),
        "test": (224, "f51ee1f36929caae"),
    }
