"""What `ftbuild chat` sends with a line: what the test examples of the run carry."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from config_fixture import TONE, Own

from ftbuild.cli.build import composed_of, world_of
from ftbuild.cli.chat import Talk
from ftbuild.cli.options import parse
from ftbuild.lookup import LedgerFolder, look_up
from ftbuild.plan.action import DATASET
from ftbuild.points import one_graph
from ftbuild.providers.connection import Connection
from ftbuild.store.store import Store

OFFERED = ("tools", "parallel_tool_calls", "response_format")


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("request.strict_tools=tuned",),
        ("request.parallel_tool_calls=true",),
        ("dataset.parallel_calls=one_by_one",),
    ],
    ids=" ".join,
)
def test_tools_are_told_as_those_of_the_test_examples_are(more: tuple[str, ...], tmp_path: Path) -> None:
    own = Own(tmp_path)
    own.write(
        "conf/tools/mine.yaml",
        """
        # Ours.   ftbuild +experiment=tone_formal tools=mine
        math.add:
          description: Add two numbers.
          args:
            a: {type: number}
            b: {type: number, optional: true}
        """,
    )
    words = [TONE, "tools=mine", "dataset.limit=20", *more]
    ended = own.run("dataset", *words)
    assert ended.code == 0, ended.err
    options = replace(parse("plan", words), folder=own.folder)
    world, composed = world_of(options), composed_of(options)
    store = Store(world.store)
    graph, [point] = one_graph(composed, (), store, smoke=False)
    record = next(one.record for one in look_up(graph, store, LedgerFolder(world)) if one.action.kind is DATASET)
    assert record is not None
    [carried] = {
        json.dumps({name: line[name] for name in OFFERED if name in line}, sort_keys=True)
        for line in map(json.loads, store.get(record.outputs["test.jsonl"]).splitlines())
    }
    settings = point.composed.settings
    sent = Talk(point.composed, ["base"], Connection(settings.provider, settings.model, world))._parameters
    assert {name: sent[name] for name in OFFERED if name in sent} == json.loads(carried)
    assert sent["tools"][0]["function"]["name"] != "math.add"
