"""The graph of actions: nodes by id, in an order in which inputs come first."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ftbuild.plan.action import Action


@dataclass
class Graph:
    """Actions by id. Adding an action that is there already returns the one that is there.

    `borrowed` are the ids of those that were made for another experiment, and that nothing else here needs.
    """

    actions: dict[str, Action] = field(default_factory=dict)
    borrowed: set[str] = field(default_factory=set)

    def add(self, action: Action) -> str:
        """Add `action`, whose inputs must be there, and return its id.

        Raises:
            ValueError: an input names an action that is not in the graph, or it comes after one that is not.
        """
        for each in action.inputs:
            if each.action not in self.actions:
                raise ValueError(f"{action.label}: input {each.role!r} comes from an action that is not in the graph")
        if not self.actions.keys() >= set(action.after):
            raise ValueError(f"{action.label}: it comes after an action that is not in the graph")
        self.borrowed.discard(action.id)
        return self.actions.setdefault(action.id, action).id

    def borrow(self, other: "Graph") -> None:
        """Add all of another experiment's graph that is not here already."""
        self.borrowed |= other.actions.keys() - self.actions.keys()
        self.merge(other)

    def parts(self) -> tuple[list[str], list[str]]:
        """Return the ids of its own actions, and those of what is borrowed with all that this reads."""
        wanted = set(self.borrowed)
        for name, action in reversed(self.actions.items()):
            wanted |= {each.action for each in action.inputs} if name in wanted else set()
        return [name for name in self.actions if name not in self.borrowed], [n for n in self.actions if n in wanted]

    def merge(self, other: "Graph") -> list[str]:
        """Add all of `other`; return the ids of its actions, in its order.

        Equal actions become one, which comes after what the first of them does.
        """
        for name, action in other.actions.items():
            self.actions.setdefault(name, action)
        return list(other.actions)

    def up_to(self, kind: str) -> "Graph":
        """Return its own actions of a kind and all they rest on, in the order of this graph."""
        own = self.actions.keys() - self.borrowed
        wanted = {name for name in own if self.actions[name].kind.name == kind}
        for name, action in reversed(self.actions.items()):
            if name in wanted:
                wanted |= {each.action for each in action.inputs} | {*action.after}
        return Graph({name: action for name, action in self.actions.items() if name in wanted})

    def __iter__(self) -> Iterator[Action]:
        return iter(self.actions.values())

    def __len__(self) -> int:
        return len(self.actions)
