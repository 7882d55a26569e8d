"""Attest: statements that in-toto's own types take, saying what the record says."""

import json
import re
from pathlib import Path

from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage
from toy_fixture import Toy

from ftbuild.store.attest import file_name, statement

KEY, OUT, IN, MANIFEST, COMMIT = "a" * 64, "b" * 64, "c" * 64, "d" * 64, "e" * 40
RECORD = {
    "type": "ftbuild.record.v2",
    "key": KEY,
    "kind": "dataset",
    "label": "dataset",
    "outputs": {"train.jsonl": OUT},
    "note": "12 examples",
    "started_at": 1795577720.503969,
    "seconds": 2.25,
    "preimage": {
        "type": "ftbuild.action.v1",
        "kind": "dataset",
        "version": 3,
        "settings": {"seed": 1, "größe": [["a", None]]},
        "inputs": [["source pairs", IN]],
    },
    "git": {"commit": COMMIT, "dirty": True},
    "versions": {"ftbuild": "0.1", "python": "3.11.7", "system": "Linux"},
    "command": "ftbuild +experiment=tone_formal",
    "cost_usd": 0,
}


def test_a_statement_says_what_the_record_says() -> None:
    assert statement(RECORD, MANIFEST) == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "train.jsonl", "digest": {"sha256": OUT}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "tag:ftbuild,2026:action/v1",
                "externalParameters": {
                    "kind": "dataset",
                    "version": 3,
                    "settings": {"seed": 1, "größe": [["a", None]]},
                },
                "internalParameters": {"label": "dataset", "command": "ftbuild +experiment=tone_formal"},
                "resolvedDependencies": [
                    {"name": "source pairs", "digest": {"sha256": IN}},
                    {"name": "project", "digest": {"gitCommit": COMMIT}, "annotations": {"dirty": True}},
                ],
            },
            "runDetails": {
                "builder": {
                    "id": "tag:ftbuild,2026:ftbuild",
                    "version": {"ftbuild": "0.1", "python": "3.11.7", "system": "Linux"},
                },
                "metadata": {
                    "invocationId": f"{KEY}@2026-11-25T03:35:20.503Z",
                    "startedOn": "2026-11-25T03:35:20.503Z",
                    "finishedOn": "2026-11-25T03:35:22.753Z",
                },
                "byproducts": [
                    {
                        "name": f"records/{KEY}.json",
                        "digest": {"sha256": MANIFEST},
                        "annotations": {"note": "12 examples", "cost_usd": 0},
                    }
                ],
            },
        },
    }


def test_what_an_old_record_does_not_tell_is_left_out() -> None:
    old = {name: value for name, value in RECORD.items() if name not in ("git", "versions", "command", "cost_usd")}
    predicate = statement(old, MANIFEST)["predicate"]
    assert predicate["buildDefinition"]["internalParameters"] == {"label": "dataset"}
    assert predicate["buildDefinition"]["resolvedDependencies"] == [{"name": "source pairs", "digest": {"sha256": IN}}]
    assert predicate["runDetails"]["builder"] == {"id": "tag:ftbuild,2026:ftbuild"}
    assert predicate["runDetails"]["byproducts"][0]["annotations"] == {"note": "12 examples"}


def test_without_git_there_is_no_commit() -> None:
    plain = {**RECORD, "git": {"commit": None, "dirty": False}}
    assert len(statement(plain, MANIFEST)["predicate"]["buildDefinition"]["resolvedDependencies"]) == 1


def test_the_types_of_in_toto_take_every_statement_of_a_build(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.build()
    for manifest in (RECORD, *toy.store.manifests()):
        value = json.loads(json.dumps(statement(manifest, MANIFEST)))
        message = ParseDict(value, StatementMessage())  # an unknown member is an error
        Statement.copy_from_pb(message).validate()
        provenance = ParseDict(value["predicate"], Provenance())
        described = (*provenance.build_definition.resolved_dependencies, *provenance.run_details.byproducts)
        for each in described:
            ResourceDescriptor.copy_from_pb(each).validate()
        definition, builder = provenance.build_definition, provenance.run_details.builder
        # What the SLSA text asks for beyond the types: TypeURIs, and both ends of the run.
        for uri in (definition.build_type, builder.id):
            assert re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", uri)
        metadata = provenance.run_details.metadata
        assert metadata.started_on.ToMilliseconds() == int(manifest["started_at"] * 1000)
        assert metadata.finished_on.ToMilliseconds() >= metadata.started_on.ToMilliseconds()


def test_a_statement_is_named_by_its_key() -> None:
    assert file_name(KEY) == f"{KEY}.intoto.json"
