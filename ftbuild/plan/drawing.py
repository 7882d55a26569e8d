"""The graph drawn as Mermaid, which GitHub, GitLab and most editors show as a picture."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from ftbuild.plan.action import Action

STYLES = {
    "HIT": "fill:#e8f3ea,stroke:#3f7d4d",
    "RUN": "fill:#fff3d6,stroke:#9a6b00",
    "MAYBE": "fill:#fffaf0,stroke:#9a6b00,stroke-dasharray:4",
    "ATTACH": "fill:#e3eefb,stroke:#2f5f9f",
    "WAIT": "fill:#e3eefb,stroke:#2f5f9f",
    "FAILED": "fill:#fbe3e3,stroke:#a33333",
    "BLOCKED": "fill:#eeeeee,stroke:#777777",
}


class Drawn(Protocol):
    """An action with its status."""

    @property
    def action(self) -> Action:
        """Return the action."""
        ...

    @property
    def status(self) -> str:
        """Return how it stands."""
        ...


def mermaid(planned: Sequence[Drawn], only: Mapping[str, str]) -> str:
    """Return a flow chart from left to right, one box an action, coloured by status; `only` names points of a sweep."""
    names = {one.action.id: f"a{number}" for number, one in enumerate(planned)}
    lines = ["flowchart LR"]
    for one in planned:
        point = f"<br/>{only[one.action.id]}" if one.action.id in only else ""
        text = f"{one.action.label}{point}<br/><i>{one.status.lower()}</i>".replace('"', "#quot;")
        lines.append(f'  {names[one.action.id]}["{text}"]:::{one.status}')
    for one in planned:
        above = dict.fromkeys(each.action for each in one.action.inputs)
        lines += [f"  {names[each]} --> {names[one.action.id]}" for each in above]
    shown = dict.fromkeys(one.status for one in planned)
    return "\n".join([*lines, *(f"  classDef {status} {STYLES[status]}" for status in shown)])
