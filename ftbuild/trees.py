"""Where config trees are: the user's own conf/ and the shipped one, and what can be chosen in them.

Knows nothing of Hydra or of settings, so that help and completion answer at once.
"""

import re
from pathlib import Path

PACKAGE = Path(__file__).parent
GROUPS = (
    "goal", "source", "dataset", "style", "tools", "retrieval", "model", "method", "provider", "evaluation", "tracker",
    "schema", "judge", "teacher", "sweep", "experiment",
)  # fmt: skip


def find_root(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, whose conf/ is a config tree; else `start`."""
    for folder in (start, *start.parents):
        conf = folder / "conf"
        if (conf / "config.yaml").is_file() or any((conf / group).is_dir() for group in GROUPS):
            return folder
    return start


def shipped_conf() -> Path:
    """Return our own tree: the checkout's conf/ beside the package, else the wheel's inside it."""
    beside = PACKAGE.parent / "conf"
    return beside if (beside / "config.yaml").is_file() else PACKAGE / "conf"


def trees(root: Path) -> list[Path]:
    """Return the config trees in order of precedence: the user's own first."""
    own, ours = root / "conf", shipped_conf()
    return [ours] if not own.is_dir() or own.resolve() == ours.resolve() else [own, ours]


def group_options(root: Path, group: str) -> dict[str, str]:
    """Return every option of a group with its one-line description, by name."""
    found: dict[str, str] = {}
    for tree in trees(root):
        for path in sorted((tree / group).glob("*.yaml")):
            found.setdefault(path.stem, _description(path.read_text(encoding="utf-8", errors="replace")))
    return dict(sorted(found.items()))


def experiments(root: Path) -> dict[str, str]:
    """Return every experiment with its one-line description, by name."""
    return group_options(root, "experiment")


def _description(text: str) -> str:
    for line in text.splitlines():
        if line.startswith("#") and "@package" not in line:
            return re.split(r"\s{2,}", line.lstrip("# ").strip())[0]
    return ""
