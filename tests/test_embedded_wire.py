"""Bodies and queries on the wire, without a server."""

from typing import Any

import pytest

from ftbuild.embedded.wire import ApiError, with_metadata

def test_jobs_without_metadata_are_listed_by_null() -> None:
    jobs: list[dict[str, Any]] = [{"metadata": None}, {"metadata": {}}, {"metadata": {"a": "b"}}]
    assert with_metadata(jobs, {"metadata": "null"}) == jobs[:1]
    assert with_metadata(jobs, {"metadata[a]": "b"}) == jobs[2:]
    assert with_metadata(jobs, {"metadata": ""}) == with_metadata(jobs, {}) == jobs


@pytest.mark.parametrize("query", [{"metadata": "none"}, {"metadata": "null", "metadata[a]": "b"}])
def test_another_filter_of_metadata_is_refused(query: dict[str, str]) -> None:
    message = r"^Invalid 'metadata': a list is filtered by 'metadata\[key\]=value', or by 'metadata=null' alone\.$"
    with pytest.raises(ApiError, match=message):
        with_metadata([], query)
