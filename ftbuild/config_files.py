"""The files of a project's config trees: where each lies, how it is shown, what it holds as text.

A config is named as Hydra names it: "style/formal". The user's own files shadow ours.
"""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from ftbuild.origins import Origin
from ftbuild.problem import Problem
from ftbuild.trees import trees
from ftbuild.yaml_marks import broken, in_file


class ConfigFiles:
    """The config files below `root`, and ours."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trees = trees(root)

    @cached_property
    def texts(self) -> dict[str, tuple[str, str]]:
        """Return every config file by name, as it is shown and its text."""
        return {
            path.relative_to(tree).with_suffix("").as_posix(): (
                self._shown(path),
                path.read_text(encoding="utf-8", errors="replace"),
            )
            for tree in reversed(self._trees)
            for path in sorted(tree.rglob("*.yaml"))
        }

    def broken(self, names: Iterable[str | None]) -> list[Problem]:
        """Return why files are no maps of texts; one that is not there is passed over."""
        found = [place for name in names if (place := self._find(name))]
        return [problem for path, _ in found for problem in broken(path.read_bytes(), self._shown(path))]

    def read(self, name: str | None) -> str:
        """Return the text of a file, "" where there is none."""
        found = self._find(name)
        return found[0].read_text(encoding="utf-8") if found else ""

    def written(self, name: str | None, package: str) -> Iterator[tuple[str, Origin]]:
        """Yield every key that a file sets below `package`, with its place."""
        if found := self._find(name):
            path, tree = found
            yield from in_file(path, self._shown(path), tree.parent, package)

    def _find(self, name: str | None) -> tuple[Path, Path] | None:
        for tree in self._trees:
            if name and (tree / f"{name}.yaml").is_file():
                return tree / f"{name}.yaml", tree
        return None

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)
