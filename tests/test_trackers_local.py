"""The local tracker: one line a set of numbers."""

from pathlib import Path

from ftbuild.trackers import local


def test_metrics_are_lines_in_the_order_given_and_an_older_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "runs" / "one" / "metrics.jsonl"
    local.write(path, [{"name": "old", "values": {}}] * 3)
    local.write(path, [{"name": "training", "step": 1, "values": {"train_loss": 0.5}}, {"name": "größe", "values": {}}])
    assert path.read_text(encoding="utf-8") == (
        '{"name": "training", "step": 1, "values": {"train_loss": 0.5}}\n{"name": "größe", "values": {}}\n'
    )


def test_no_metrics_are_an_empty_file(tmp_path: Path) -> None:
    local.write(tmp_path / "metrics.jsonl", [])
    assert (tmp_path / "metrics.jsonl").read_bytes() == b""
