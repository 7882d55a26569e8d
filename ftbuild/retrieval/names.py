"""Passages by what people call them: a document's file name and a heading in it."""

from collections.abc import Iterable, Sequence

from ftbuild.example import PassageName
from ftbuild.packed import plain_name
from ftbuild.problem import Problem, nearest
from ftbuild.retrieval.passages import Passage

UNDER = " > "  # between a heading and the one it stands under
LISTED = 6


class Names:
    """The names of passages, which are numbered from 0.

    A document is called by its file name, or by as much of its path as tells it from others; a passage by the text of
    its heading, or by several: "Leave > Special days". A heading stands for all that is below it, the title of a
    document for all of it.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._documents: dict[str, set[str]] = {}
        self._sections: dict[str, dict[str, dict[tuple[str, ...], list[int]]]] = {}
        self._titles: dict[str, str] = {}
        self._all: dict[str, list[int]] = {}
        for number, each in enumerate(passages):
            parts = plain_name(each.path).split("/")
            for at in range(len(parts)):
                self._documents.setdefault("/".join(parts[at:]), set()).add(each.path)
            self._all.setdefault(each.path, []).append(number)
            self._titles[each.path] = _folded(each.title)
            known = self._sections.setdefault(each.path, {})
            for depth in range(1, len(each.headings) + 1):
                above = each.headings[:depth]
                for at in range(depth):
                    name = _folded(UNDER.join(above[at:]))
                    known.setdefault(name, {}).setdefault(above, []).append(number)

    def find(self, name: PassageName) -> Sequence[int] | Problem:
        """Return the passages of a name, one at least, or why there are none."""
        paths = sorted(self._documents.get(name.document, ()))
        if not paths:
            known = [each for each in self._documents if ("/" in each) == ("/" in name.document)]
            return _unknown("document", name.document, known, "there are")
        if len(paths) > 1:
            fix = "write more of its path."
            return Problem(f"document {name.document!r} is {_few(paths)}", fix=fix, rule="unclear-passage")
        return self._all[paths[0]] if name.section is None else self._section(paths[0], name.document, name.section)

    def _section(self, path: str, document: str, section: str) -> Sequence[int] | Problem:
        known, said = self._sections[path], _folded(section)
        found = known.get(said)
        if found is None and said == self._titles[path]:
            return self._all[path]
        if found is None:
            headings = dict.fromkeys(above[-1] for each in known.values() for above in each)
            return _unknown(f"section of {document}", section, headings, "it has")
        if len(found) > 1:
            told = _few([UNDER.join(above) for above in found])
            fix = "write the headings above it too."
            return Problem(f"section {section!r} of {document} is {told}", fix=fix, rule="unclear-passage")
        return next(iter(found.values()))


def _folded(name: str) -> str:
    return " ".join(name.split())


def _unknown(what: str, said: str, known: Iterable[str], there: str) -> Problem:
    close = nearest(said, known)
    fix = f"the nearest is {close!r}." if close else f"{there} {_few(list(known)) or 'none'}."
    return Problem(f"no {what} is called {said!r}", fix=fix, rule="unknown-passage")


def _few(names: Sequence[str]) -> str:
    rest = len(names) - LISTED
    return ", ".join(map(repr, names[:LISTED])) + (f" and {rest} more" if rest > 0 else "")
