"""Where an output comes from, in the words other tools read: an in-toto Statement with SLSA provenance.

One statement a record, unsigned: the form that signing tools take (`cosign attest-blob --statement FILE`).
Sources: in-toto Attestation Framework, spec/v1 (statement.md, resource_descriptor.md, digest_set.md);
SLSA provenance v1.0, https://slsa.dev/spec/v1.0/provenance.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "tag:ftbuild,2026:action/v1"
BUILDER = "tag:ftbuild,2026:ftbuild"


def file_name(key: str) -> str:
    """Return the name of the file that holds the statement of a record."""
    return f"{key}.intoto.json"


def statement(manifest: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Return the statement of the record in `manifest`, whose file has the sha256 `digest`.

    The keyed settings are the external parameters, what no key holds the internal ones; inputs are named
    by the role they play. What a manifest does not tell is left out.
    """
    preimage = manifest["preimage"]
    started, ended = manifest["started_at"], manifest["started_at"] + manifest["seconds"]
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": each}} for name, each in manifest["outputs"].items()],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {name: preimage[name] for name in ("kind", "version", "settings")},
                "internalParameters": {name: manifest[name] for name in ("label", "command") if name in manifest},
                "resolvedDependencies": [
                    *({"name": role, "digest": {"sha256": each}} for role, each in preimage["inputs"]),
                    *_commit(manifest.get("git") or {}),
                ],
            },
            "runDetails": {
                "builder": {"id": BUILDER, **_versions(manifest)},
                "metadata": {
                    "invocationId": f"{manifest['key']}@{_time(started)}",
                    "startedOn": _time(started),
                    "finishedOn": _time(ended),
                },
                "byproducts": [
                    {
                        "name": f"records/{manifest['key']}.json",
                        "digest": {"sha256": digest},
                        "annotations": {name: manifest[name] for name in ("note", "cost_usd") if name in manifest},
                    }
                ],
            },
        },
    }


def _commit(git: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the commit of the project as a dependency; none where there is no git."""
    if not git.get("commit"):
        return []
    return [{"name": "project", "digest": {"gitCommit": git["commit"]}, "annotations": {"dirty": git["dirty"]}}]


def _versions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": manifest["versions"]} if "versions" in manifest else {}


def _time(at: float) -> str:
    """Return a time in seconds since 1970 as RFC 3339, in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
