"""What a provider's profile says against an experiment, before anything is sent or paid: methods, models, dates.

Pure: a date in, findings out. What the profile does not know refuses nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from ftbuild.plan.cost import tunable
from ftbuild.rules.pack import PACKS
from ftbuild.settings import Provider, Settings

MONTH = 7  # characters of a date without its day
WITH_TOOLS = ("generator", "functions", "bfcl")  # kinds of sources whose examples offer tools of their own
DEPLOYED = "its tuned model answers once it is deployed; the build stops there, says how, and goes on afterwards"


@dataclass(frozen=True)
class Finding:
    """`key` of the config says `said`; a warning is told, an error refuses the build."""

    key: str
    said: str
    why: str = ""
    fix: str = ""
    severity: Literal["error", "warning"] = "error"


Capability = Literal["tools", "response_format"]  # as the profile spells them
IN_VAIN: Mapping[Capability, str] = {
    "tools": "The model would learn calls that nobody could ask it for, and requests with tools are refused.",
    "response_format": "Requests of examples whose answers have a schema are refused.",
}
Others = Callable[[], Mapping[str, Provider]]


def findings(settings: Settings, today: date, others: Others) -> list[Finding]:
    """Return what speaks against the job and the answers of an experiment; `others` gives the profiles there are."""
    provider = settings.provider
    trains = settings.method.type != "none"
    found = [*(_method(settings, others) if trains else ()), *_capabilities(settings, others), *_languages(settings)]
    if provider.kind == "embedded":
        return found
    if provider.rules not in PACKS:
        fix = f"there are {', '.join(PACKS)}."
        found.append(Finding("provider.rules", f"no pack of rules {provider.rules!r}", fix=fix))
    found += [*_ends(settings, today, others), *_deployments(settings)]
    return found


def ways_out(settings: Settings, others: Others) -> str:
    """Return which other profiles take the model and the method, and what else there is."""
    method, ways = settings.method.lines, []
    for name, each in others().items():
        if each.kind != "hosted" or each.title == settings.provider.title or not _can_do(each, settings):
            continue
        known = tunable(each, settings.model)
        if each.base_url is None:
            ways.append(f"provider={name} provider.base_url=URL")
        elif each.models is None:
            ways.append(f"provider={name} (whether it tunes {settings.model.id} is not known here)")
        elif known is not None and method in (known.methods or [method]):
            ways.append(f"provider={name}")
    ways += [f"provider={name} model=smollm2" for name, each in others().items() if _trains_here(each, settings)]
    return "; or ".join(ways) + "." if ways else "no other profile takes it."


def _trains_here(provider: Provider, settings: Settings) -> bool:
    return provider.kind == "embedded" and provider.engine == "torch" and _can_do(provider, settings)


def _can_do(provider: Provider, settings: Settings) -> bool:
    return settings.method.lines in provider.methods and not any(lacking(provider, needs(settings)))


def needs(settings: Settings) -> dict[Capability, str]:
    """Return what an experiment asks of a server besides texts, each with the key of the config that asks for it.

    Tools that a source's lines may bring along are not among them: its lines tell.
    """
    sources = settings.dataset.of_examples
    tools = ["tools"] if settings.tools else []
    tools += [f"dataset.sources.{name}.kind" for name, each in sources.items() if each.kind in WITH_TOOLS]
    is_asked = {
        name: each.only in (None, "test") or settings.method.type == "reinforcement" for name, each in sources.items()
    }
    forms = [f"dataset.sources.{name}.schema" for name, each in sources.items() if each.schema_name and is_asked[name]]
    found: dict[Capability, list[str]] = {"tools": tools, "response_format": forms}
    return {name: keys[0] for name, keys in found.items() if keys}


def lacking(provider: Provider, wanted: Mapping[Capability, str]) -> Iterator[Finding]:
    """Yield what a provider is known not to do of what is wanted; `wanted` says which key asks for it."""
    for name, key in wanted.items():
        if getattr(provider, name) is False:
            yield Finding(key, f"{provider.title} takes no {name}", IN_VAIN[name])


def _capabilities(settings: Settings, others: Others) -> Iterator[Finding]:
    for each in lacking(settings.provider, needs(settings)):
        yield replace(each, fix=instead(settings, others))


def instead(settings: Settings, others: Others) -> str:
    """Return what to do where the provider cannot do what is asked: whoever can, and what goes without."""
    if settings.provider.kind == "hosted":
        return ways_out(settings, others)
    return (
        "ftbuild dataset writes the lines all the same, for a provider that can; provider=rehearsal builds all of it."
    )


def _method(settings: Settings, others: Others) -> Iterator[Finding]:
    provider, method = settings.provider, settings.method.type
    nothing = "Nothing has run, and nothing was sent to it."
    if method not in provider.methods:
        why = f"It trains with {' and '.join(provider.methods)}. {nothing}"
        yield Finding("method.type", f"the provider cannot train with {method!r}", why, instead(settings, others))
    if provider.models is None:
        return
    found = tunable(provider, settings.model)
    if found is None:
        why = f"It tunes model={', '.join(provider.models)}. {nothing}"
        yield Finding(
            "model.id", f"{provider.title} cannot tune {settings.model.id!r}", why, ways_out(settings, others)
        )
    elif found.methods is not None and method in provider.methods and method not in found.methods:
        why = f"It tunes that model with {' and '.join(found.methods)}. {nothing}"
        said = f"{provider.title} cannot tune {settings.model.id!r} with {method!r}"
        yield Finding("method.type", said, why, ways_out(settings, others))


def _languages(settings: Settings) -> Iterator[Finding]:
    known, wanted = settings.model.languages, settings.style.language
    if known is not None and wanted not in known:
        why = f"Who makes it lists {', '.join(known)}; the rest it may read and write badly."
        said = f"{settings.model.title} is not said to know the style's language {wanted!r}"
        yield Finding("model.languages", said, why, "another model, or have somebody read its answers.", "warning")


def _deployments(settings: Settings) -> Iterator[Finding]:
    provider, arms = settings.provider, [arm.kind for arm in settings.arms.values() if arm.model is None]
    if provider.deploys is None or provider.rehearsed:
        return
    if "base" in arms and provider.base_deployment is None:
        why = f"Deploy it, and wait until it is there: {deploying(provider, settings.model.id, 'NAME')}"
        said = f"the base model answers only where it is deployed ({provider.deploys.source})"
        yield Finding("provider.base_deployment", said, why, "provider.base_deployment=NAME")
    if "tuned" in arms and provider.deployment is None:
        yield Finding("provider.deployment", DEPLOYED, provider.deploys.source, severity="warning")


def deploying(provider: Provider, model: str, name: str) -> str:
    """Return the command that deploys a model."""
    assert provider.deploys is not None
    command = provider.deploys.command.replace("{model}", model)
    return command.replace("{name}", name)


def _ends(settings: Settings, today: date, others: Others) -> Iterator[Finding]:
    """Yield end dates that are near or past; in a rehearsal nothing is sent, so none of them refuses it."""
    provider, ends = settings.provider, settings.provider.ends
    model = tunable(provider, settings.model)
    if ends is not None and ends.new_jobs is not None:
        said = f"{provider.name} takes no new jobs after {{day}}"
        source = f"{ends.source}. Closed already to {ends.closed_to}" if ends.closed_to else ends.source
        yield from _end(settings, "provider.ends.new_jobs", said, ends.new_jobs, source, today, others)
    if model is not None and model.ends is not None:
        key = next(f"provider.models.{name}.ends" for name, each in (provider.models or {}).items() if each is model)
        said = f"{provider.name} ends {model.id} on {{day}}"
        source = ends.source if ends is not None else "the profile"
        yield from _end(settings, key, said, model.ends, source, today, others)
    elif ends is not None and ends.models is not None:
        said = f"{provider.name} ends its models and what was tuned on them on {{day}}"
        yield from _end(settings, "provider.ends.models", said, ends.models, ends.source, today, others)


def first_day(said: str) -> date:
    """Return the day that is said, of a month its first."""
    return date.fromisoformat(said if len(said) > MONTH else f"{said}-01")


def _end(
    settings: Settings, key: str, said: str, day: str, source: str, today: date, others: Others
) -> Iterator[Finding]:
    provider = settings.provider
    firm = provider.ends is None or provider.ends.firm
    days = (first_day(day) - today).days
    if days > provider.horizon_days and days >= provider.needed_days:
        return
    when = f"in {days} days" if days > 1 else "tomorrow" if days == 1 else "today" if days == 0 else "which is past"
    told = f"{said.format(day=day)}, {when}" if firm else f"{said.format(day=day)} at the earliest, {when}"
    if 0 <= days < provider.needed_days:
        told += f"; it is needed for {provider.needed_days} (provider.needed_days)"
    refuses = days < provider.needed_days and firm and not provider.rehearsed
    fix = ways_out(settings, others) if refuses else ""
    yield Finding(key, told, f"Source: {source}.", fix, "error" if refuses else "warning")


def shutdown(settings: Settings, day: str | None, today: date, others: Others) -> list[Finding]:
    """Return what the provider's own list of models says of the end of the base model."""
    if day is None:
        return []
    said = f"{settings.provider.name} shuts {settings.model.id} down on {{day}}"
    return list(_end(settings, "model.id", said, day, "its own list of models", today, others))
