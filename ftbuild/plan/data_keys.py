"""Which settings of data enter keys: what changes what is read or made of it, where it is not as it always was."""

from collections.abc import Sequence

from ftbuild.chat import Tool
from ftbuild.settings import Settings, Source
from ftbuild.tools.definitions import keyed as keyed_tools


def read(source: Source) -> dict[str, object]:
    """Return what decides how a source is read; its share of the mix, the wall and who agreed to it do not."""
    return {name: value for name, value in source.keyed().items() if name not in ("share", "walled", "consent")}


def consents(settings: Settings) -> dict[str, object]:
    """Return who agreed to be learnt from, by source, where that is recorded."""
    found = {name: source.consent for name, source in settings.sources.items() if source.consent is not None}
    return {"consents": found} if found else {}


def redact(settings: Settings) -> dict[str, object]:
    """Return the rules that take something out, where there are any."""
    rules = {name: on for name, on in settings.dataset.redact.keyed().items() if on}
    return {"redact": rules} if rules else {}


def shares(settings: Settings) -> dict[str, object]:
    """Return the shares of sources in the training split, where any has one."""
    found = {name: each.share for name, each in settings.dataset.sources.items() if each.share is not None}
    return {"shares": found} if found else {}


def walled(settings: Settings) -> dict[str, object]:
    """Return the sources that nothing made out of a test example may stand in, where there are any."""
    found = sorted(name for name, each in settings.dataset.sources.items() if each.walled)
    return {"walled": found} if found else {}


def in_meaning(settings: Settings) -> dict[str, object]:
    """Return the sources held before the tests in meaning, too, and those that nobody suspects, where there are any."""
    sources = settings.dataset.of_examples
    found = sorted(name for name, each in sources.items() if each.walled == "meaning")
    beyond_doubt = sorted(name for name, each in sources.items() if not each.walled)
    return {"walled": found, "unsuspected": beyond_doubt} if found else {}


def embedder(settings: Settings) -> dict[str, object]:
    """Return who is asked for vectors."""
    named = settings.retrieval.model
    model = {"embedder": named} if named is not None else {"model": settings.model.keyed()}
    return {"provider": settings.provider.keyed(), **model}


def retrieval(settings: Settings) -> dict[str, object]:
    """Return which passages go into the prompts, where any do."""
    return {"retrieval": settings.retrieval.keyed()} if settings.retrieval.documents is not None else {}


def tools_told(settings: Settings, tools: Sequence[Tool]) -> dict[str, object]:
    """Return the tools and what becomes of them, where there is anything to say."""
    flag, strict = settings.request.parallel_tool_calls, settings.request.strict_tools
    keyed: dict[str, object] = {"tools": keyed_tools(tools)} if tools else {}
    keyed |= {"parallel_tool_calls": flag} if flag is not None else {}
    keyed |= {"strict_tools": strict} if strict is not None else {}
    return keyed | ({"parallel_calls": "one_by_one"} if settings.calls_one_by_one else {})
