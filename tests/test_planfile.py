"""A kept plan: written, read, built as it stands, refused when anything has drifted."""

import json
from pathlib import Path

import pytest
from toy_fixture import Toy, with_texts

from ftbuild import planfile
from ftbuild.errors import ConfigError, PlanError
from ftbuild.plan.drawing import mermaid


def kept(toy: Toy, path: Path) -> Path:
    planfile.write(path, ["+experiment=toy"], False, toy.plan())
    return path


def test_a_plan_reads_back_as_it_was_planned(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "project")
    value = planfile.read(kept(toy, tmp_path / "plan.json"))
    assert (value["command"], value["multirun"]) == (["+experiment=toy"], False)
    assert value["actions"] == planfile.contract(toy.plan())["actions"]


def test_nothing_drifted_is_nothing_said(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "project")
    path = kept(toy, tmp_path / "plan.json")
    planfile.refuse_drift(path, planfile.read(path), toy.plan())


def drift(toy: Toy, path: Path) -> str:
    with pytest.raises(PlanError) as caught:
        planfile.refuse_drift(Path("plan.json"), planfile.read(path), toy.plan())
    return str(caught.value)


def test_a_changed_setting_is_drift(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "project")
    toy.build()
    path = kept(toy, tmp_path / "plan.json")
    toy.texts = with_texts(toy.texts, c="c2")
    assert drift(toy, path) == (
        "plan.json: what would be built is no longer what was planned\n"
        "    c has changed (text   'c1' -> 'c2'); d has changed (after c)\n"
        "    Fix: plan again and look at it: ftbuild plan ... --out FILE"
    )


def test_a_result_that_came_or_went_is_drift(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "project")
    path = kept(toy, tmp_path / "plan.json")
    toy.build()
    assert drift(toy, path).splitlines()[1] == (
        "    a was RUN, is HIT; b was MAYBE, is HIT; pay was MAYBE, is HIT; c was RUN, is HIT; d was MAYBE, is HIT"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file or directory\n    Fix: make one: ftbuild plan ... --out FILE"),
        (b"{", "is no plan\n    Fix: make one: ftbuild plan ... --out FILE"),
        (b"[]", "is no plan\n    Fix: make one: ftbuild plan ... --out FILE"),
        (b'{"schema_version": 1, "command": []}', "is no plan\n    Fix: make one: ftbuild plan ... --out FILE"),
        (
            b'{"schema_version": 2, "command": [], "actions": [{"id": "1"}]}',
            "is a plan of another version\n    Fix: ftbuild plan ... --out FILE",
        ),
    ],
)
def test_what_is_no_plan_is_refused(content: bytes | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        planfile.read(path)
    assert str(caught.value) == f"{path}: {said}"


def test_the_drawing_has_a_box_an_action_and_an_arrow_an_input(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.build()
    toy.texts = with_texts(toy.texts, c="c2")
    planned = toy.plan()
    only = {planned[3].action.id: 'seed="3"'}
    assert mermaid(planned, only).splitlines() == [
        "flowchart LR",
        '  a0["a<br/><i>hit</i>"]:::HIT',
        '  a1["b<br/><i>hit</i>"]:::HIT',
        '  a2["pay<br/><i>hit</i>"]:::HIT',
        '  a3["c<br/>seed=#quot;3#quot;<br/><i>run</i>"]:::RUN',
        '  a4["d<br/><i>maybe</i>"]:::MAYBE',
        "  a0 --> a1",
        "  a1 --> a2",
        "  a2 --> a4",
        "  a3 --> a4",
        "  classDef HIT fill:#e8f3ea,stroke:#3f7d4d",
        "  classDef RUN fill:#fff3d6,stroke:#9a6b00",
        "  classDef MAYBE fill:#fffaf0,stroke:#9a6b00,stroke-dasharray:4",
    ]
    assert json.dumps(mermaid(planned, {})).count("-->") == 4
