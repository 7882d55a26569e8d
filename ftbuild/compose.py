"""From a command line to settings: with `merging` the only module that knows Hydra.

Owns the search path (the user's own conf/ in front of ours), the overrides, the expansion of
a sweep, and the file and line of every key. All problems of one composition are told at once.
`hydra.main` is not used: nothing here writes a file.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra.core.default_element import ResultDefault
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from ftbuild import config_problems, defaults_lists, rounds, spaces
from ftbuild.composed import SMOKE, Asked, Composed, Swept
from ftbuild.config_files import ConfigFiles
from ftbuild.config_problems import COMMAND_LINE
from ftbuild.errors import ConfigError
from ftbuild.halving import Halving
from ftbuild.merging import Merged, Merging, chosen, initialised, is_off, of_space, plain, typed
from ftbuild.origins import Origin, Origins, in_value
from ftbuild.outside import Outside
from ftbuild.problem import Problem
from ftbuild.search import Search
from ftbuild.settings import Settings
from ftbuild.settings.contradictions import contradictions
from ftbuild.trees import GROUPS, experiments, find_root

__all__ = ["SMOKE", "Composed", "Outside", "Swept", "compose", "compose_sweep", "experiments", "find_root", "to_yaml"]

PLAIN_KEY = re.compile(r"[\w-]+(\.[\w-]+)*")
Places = Mapping[str, Origin | None]
NOWHERE: Places = {}


def compose(root: Path, overrides: Sequence[str], outside: Outside | None = None) -> Composed:
    """Return the settings that the overrides ask for, one point, whatever space an experiment chooses.

    Raises:
        ConfigError: with every unknown key, option and wrong value, each with its place.
    """
    with _hydra(root, outside or Outside()) as conf:
        return conf.compose_one(*conf.parse(overrides))


def compose_sweep(
    root: Path,
    overrides: Sequence[str],
    outside: Outside | None = None,
    *,
    given: Sequence[str] = (),
    multirun: bool = True,
) -> Swept:
    """Return the settings of every point of a sweep, in Hydra's order: the last override varies fastest.

    The points of a space are multiplied with what the command line sweeps over; there they vary fastest. `given` are
    overrides that hold where neither the command line nor a space says otherwise. Without `multirun` there is one
    point, unless a space is chosen.

    Raises:
        ConfigError: as `compose`, with the problems of all points.
    """
    with _hydra(root, outside or Outside()) as conf:
        before, _ = conf.parse(given)
        parsed, problems = conf.parse(overrides)
        choices = [
            [f"{each.get_key_element()}={value}" for value in each.sweep_string_iterator()]
            if each.is_sweep_override()
            else [typed(each)]
            for each in parsed
        ]
        read = [[conf.parse([text])[0] for text in values] for values in choices]
        conf.varied = {text for values in choices if len(values) > 1 for text in values}
        lines = [[override for said in line for override in said] for line in product(*read)]
        has_space = any(conf.has_space([*before, *line]) for line in lines)
        if not multirun and not has_space:
            return Swept([conf.compose_one([*before, *parsed], problems)])
        problems += [
            Problem(
                f"{each.input_line!r} asks for no value at all", COMMAND_LINE, fix="write values, 1,2 or range(1,3)."
            )
            for each, values in zip(parsed, choices, strict=True)
            if not values
        ]
        points, rules, where = [], [], ""
        for line in lines:
            try:
                asked, chosen_by = conf.spread(before, line)
                rules.append(chosen_by)
                where = where or next((at.path for each in asked for at in each.places.values() if at), "")
            except ConfigError as error:
                problems += error.problems
                continue
            for each in asked:
                try:
                    points.append(conf.compose(each.overrides, places=each.places))
                except ConfigError as error:
                    problems += error.problems
        if any(each != rules[0] for each in rules) or (len(rules) > 1 and isinstance(rules[0], Search)):
            said = "several spaces with a search, or with several halvings"
            problems.append(Problem(said, COMMAND_LINE, fix="ask for one of them."))
        if problems:
            raise ConfigError(*config_problems.ordered(problems))
        return replace(Swept.once(points, where), chosen_by=rules[0]) if has_space else Swept(points)


def compose_each(root: Path, asked: Sequence[Asked], outside: Outside | None = None) -> list[Composed]:
    """Return the settings of points that are asked for one by one, in plain words.

    Raises:
        ConfigError: as `compose`, for the first that is wrong.
    """
    with _hydra(root, outside or Outside()) as conf:
        return [conf.compose_words(each) for each in asked]


def to_yaml(composed: Composed) -> str:
    """Return the config as YAML, in the order of the files."""
    return str(OmegaConf.to_yaml(OmegaConf.create(dict(composed.tree))))


@dataclass(frozen=True)
class _Asked:
    """The overrides of a point, and where those stand that were not typed, by their text."""

    overrides: Sequence[Override]
    places: Places = field(default_factory=dict)


class _Trees:
    """Hydra, initialised on the trees of one project."""

    def __init__(self, root: Path, outside: Outside) -> None:
        self._root = root
        self._outside = outside
        self._files = ConfigFiles(root)
        self._loader: Any = GlobalHydra.instance().config_loader()
        self._options: dict[str, list[str]] = {group: self._loader.get_group_options(group) for group in GROUPS}
        self._merging = Merging(self._loader)
        self._places: dict[tuple[str | None, str | None], dict[str, Origin]] = {}
        self._merged: dict[tuple[str, ...], Merged | None] = {}
        self._spaces: dict[tuple[str, ...], tuple[Any, Origins] | None] = {}
        self._overrides: dict[str, Override] = {}
        self._experiments = experiments(root)
        self._earlier: dict[tuple[str, ...], Composed] = {}
        self._later: list[str] = []  # the rounds whose round before is being composed
        self.varied: Collection[str] = ()  # the overrides that points differ in, which no round before has

    def parse(self, overrides: Sequence[str]) -> tuple[list[Override], list[Problem]]:
        """Return the overrides parsed, and what is wrong with the others; `experiment=x` means `+experiment=x`."""
        parsed, problems = [], []
        for text in overrides:
            self._outside.note(text)
            if found := config_problems.secret(text):
                problems.append(found)
                continue
            try:
                parsed.append(self._parsed(re.sub(r"^\+*experiment=", "+experiment=", text)))
            except HydraException:
                problems.append(config_problems.from_override(text))
        return parsed, problems

    def _parsed(self, text: str) -> Override:
        if text not in self._overrides:
            self._overrides[text] = OverridesParser.create(config_loader=self._loader).parse_override(text)
        return self._overrides[text]

    def has_space(self, parsed: Sequence[Override]) -> bool:
        """Return whether the overrides, or the files that they choose, ask for a space."""
        return self._space(parsed) is not None

    def spread(
        self, given: Sequence[Override], parsed: Sequence[Override]
    ) -> tuple[list[_Asked], Halving | Search | None]:
        """Return what asks for each point of the space that is chosen, or the one point where none is, and how its
        points are chosen from where not all are built.

        A point is asked for in plain words, as they would be typed. What is `given` gives way to them.

        Raises:
            ConfigError: with all that is wrong in the space.
        """
        plain = self._without_space(given, parsed)
        space = self._space([*given, *parsed])
        if space is None:
            return [_Asked([*given, *plain])], None
        values = {spaces.bare(each.get_key_element()): each.value() for each in plain if not each.is_delete()}
        asked = []
        for words in spaces.spread(*space, self._options, values, self._values):
            ours, places = [], {}
            for word in words:
                override, problems = self.parse([word.text])
                if problems:
                    raise ConfigError(*(config_problems.placed(each, word.origin) for each in problems))
                ours += override
                places[word.text] = word.origin
            said = {spaces.bare(word.key) for word in words}
            rest = [each for each in given if spaces.bare(each.get_key_element()) not in said]
            asked.append(_Asked([*rest, *plain, *ours], places))
        return asked, spaces.chosen_by(*space, self._values)

    def compose_words(self, asked: Asked) -> Composed:
        """Return the settings that plain words ask for.

        Raises:
            ConfigError: as `compose`.
        """
        parsed, problems = self.parse(asked.words)
        places = {typed(each): asked.origins.get(spaces.bare(each.get_key_element())) for each in parsed}
        return self.compose(parsed, problems, places)

    def compose_one(self, parsed: Sequence[Override], problems: Sequence[Problem]) -> Composed:
        """Return the one point that the overrides ask for.

        Raises:
            ConfigError: as `compose`; some of them ask for several.
        """
        several = [each for each in parsed if each.is_sweep_override()]
        rest = [each for each in parsed if each not in several]
        more = [
            Problem(f"{each.input_line!r} asks for several values", COMMAND_LINE, fix="add -m to run them all.")
            for each in several
        ]
        more += [
            Problem(f"{typed(each)!r} asks for several points", COMMAND_LINE, fix="leave it out: here is room for one.")
            for each in rest
            if self.has_space(rest) and of_space(each) and not is_off(each)
        ]
        return self.compose(self._without_space((), rest), [*problems, *more])

    def _without_space(self, given: Sequence[Override], parsed: Sequence[Override]) -> list[Override]:
        """Return the overrides without those of a space, and with the one that says no where the files say yes.

        Words that ask for a space and come to none stay: what is wrong with them is told where they are composed.
        """
        if not self.has_space([*given, *parsed]) and not any(map(is_off, parsed)):
            return list(parsed)
        plain = [each for each in parsed if not of_space(each)]
        return [*plain, self._parsed("sweep=none")] if self.has_space([*given, *plain]) else plain

    def _space(self, parsed: Sequence[Override]) -> tuple[Any, Origins] | None:
        """Return the node `sweep`, where it says a space, and where it was written.

        Raises:
            ConfigError: an override of it cannot be set.
        """
        said = [each for each in parsed if self._is_group(each) or of_space(each)]
        asked = tuple(map(typed, said))
        if asked not in self._spaces:
            self._spaces[asked] = self._space_said(said)
        return self._spaces[asked]

    def _space_said(self, said: Sequence[Override]) -> tuple[Any, Origins] | None:
        groups = [each for each in said if self._is_group(each)]
        if any(is_off(each) or self._refused(each) for each in groups):
            return None
        if (merged := self._merged_by(groups)) is None:
            return None
        origins = Origins(merged.written, self._typed(said, {}))
        values = [self._parsed(self._forced(each)) for each in said if not self._is_group(each)]
        try:
            node = merged.unresolved("sweep", values)
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(config_problems.from_hydra(str(error), origins)) from error
        return (node, origins) if node else None

    def _values(self, key: str, text: str) -> list[Any] | None:
        """Return the values that a text says for a key, None where it is no sweep, or none that can be listed."""
        try:
            parsed = self._parsed(f"{key}={text}")
            return [self._parsed(f"{key}={each}").value() for each in parsed.sweep_string_iterator()]
        except HydraException:
            return None

    def compose(
        self, parsed: Sequence[Override], problems: Sequence[Problem] = (), places: Places = NOWHERE
    ) -> Composed:
        """Return the settings, unless there are problems already: then only look for more of them.

        `places` say where overrides stand that were not typed, by their text.

        Raises:
            ConfigError: with every problem, those of overrides and those of files.
        """
        composed = None if problems else self._by_merging(parsed, places)
        return composed or self._by_hydra(parsed, problems, places)

    def _by_merging(self, parsed: Sequence[Override], places: Places) -> Composed | None:
        """Return what `_by_hydra` returns, None where only that tells; files are read and merged once for all points.

        Raises:
            ConfigError: as `_by_hydra`.
        """
        groups = [each for each in parsed if self._is_group(each)]
        values = [self._parsed(self._forced(each)) for each in parsed if not self._is_group(each)]
        if not all(self._is_value(each) for each in values) or any(self._refusal(each, places) for each in parsed):
            return None
        merged = self._merged_by(groups)
        # While Hydra sets values its own node is still there to be looked at, in ours it is gone.
        if merged is None or merged.looks_at("hydra", values):
            return None
        try:
            tree = merged.with_values(values)
        except (HydraException, OmegaConfBaseException):
            return None
        return self._validated(parsed, tree, Origins(merged.written, self._typed(parsed, places)), places)

    def _by_hydra(self, parsed: Sequence[Override], problems: Sequence[Problem], places: Places) -> Composed:
        """Return the settings as Hydra composes them, or all that is wrong.

        Raises:
            ConfigError: with every problem, those of overrides and those of files.
        """
        refused = [(each, found) for each in parsed if (found := self._refusal(each, places))]
        problems = [*problems, *(problem for _, found in refused for problem in found)]
        bad = [each for each, _ in refused]
        good = [each for each in parsed if each not in bad]
        unknown_experiment = any(each.key_or_group == "experiment" for each in bad)
        try:
            if not unknown_experiment:
                self._check_chosen(good, told=bool(problems))
                composed = self._settings(good, places)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(*config_problems.ordered(problems))
        return composed

    def _merged_by(self, groups: Sequence[Override]) -> Merged | None:
        """Return what `_merge` returns, merged once."""
        chosen = tuple(typed(each) for each in groups)
        if chosen not in self._merged:
            self._merged[chosen] = self._merge(groups)
        return self._merged[chosen]

    def _merge(self, groups: Sequence[Override]) -> Merged | None:
        """Return the merged files of a choice of groups, None where only a full composition tells what is wrong."""
        try:
            self._check_chosen(groups, told=False)
            files = self._merging.files(groups)
            return self._merging.merged(files, self._written(files))
        except (ConfigError, yaml.YAMLError, UnicodeDecodeError, HydraException, OmegaConfBaseException):
            return None

    def _settings(self, parsed: Sequence[Override], places: Places) -> Composed:
        lines = [self._forced(each) for each in parsed]
        origins = None
        try:
            files = self._loader.compute_defaults_list("config", lines, RunMode.RUN).defaults
            origins = Origins(self._written(files), self._typed(parsed, places))
            tree = plain(hydra_compose("config", overrides=lines), resolve=True)
        except (yaml.YAMLError, UnicodeDecodeError, HydraException, OmegaConfBaseException) as error:
            raise self._explained(error, parsed, origins) from error
        return self._validated(parsed, tree, origins, places)

    def _validated(
        self, parsed: Sequence[Override], tree: dict[str, Any], origins: Origins, places: Places
    ) -> Composed:
        name = "+".join(chosen(parsed, "experiment"))
        tree.pop("sweep", None)  # points know of no space
        composed = Composed(
            experiment=name or "unnamed",
            description=self._experiments.get(name, ""),
            overrides=tuple(typed(each) for each in parsed),
            tree=tree,
            origins=origins,
        )
        try:
            settings = composed.settings
        except ValidationError as error:
            raise ConfigError(*config_problems.from_validation(error, Settings, origins, self._options)) from error
        if settings.round is not None:
            composed = rounds.after(composed, self._before(composed, settings.round.after, parsed, places))
        if problems := config_problems.from_contradictions(contradictions(composed.settings), origins):
            raise ConfigError(*problems)
        return composed

    def _before(self, composed: Composed, name: str, parsed: Sequence[Override], places: Places) -> Composed:
        """Return the experiment of the round before, with what the command line says of both.

        Raises:
            ConfigError: there is none of that name, it leads back to this one, or it cannot be composed.
        """
        self._later.append(composed.experiment)
        try:
            rounds.refuse(name, self._later, composed.origins, self._experiments)
            both = [each for each in parsed if typed(each) not in {*places, *self.varied}]
            values = [each for each in both if not self._is_group(each)]
            taken = [each for each in both if self._is_group(each) and each.key_or_group not in rounds.OF_ONE_GROUP]
            groups = [self._parsed(f"+experiment={name}"), *taken]
            merged = self._merged_by(groups)
            sources = (merged.tree["dataset"].get("sources") or {}) if merged is not None else {}
            asked = [*groups, *(each for each in values if rounds.is_of_both(each.key_or_group, sources))]
            words = tuple(map(typed, asked))
            return self._earlier.setdefault(words, self._earlier.get(words) or self.compose(asked))
        finally:
            self._later.pop()

    def _refusal(self, override: Override, places: Places) -> list[Problem]:
        """Return what is wrong with an override before any file is read."""
        return [config_problems.placed(each, places.get(typed(override))) for each in self._refused(override)]

    def _refused(self, override: Override) -> list[Problem]:
        group, text = override.key_or_group, override.input_line or ""
        if self._is_group(override):
            value = [] if override.is_delete() else override.value()
            return config_problems.unknown_options(text, value, group, self._options[group])
        plain = override.package is None and "/" not in group
        return config_problems.unknown_group(text, group, self._options, plain=plain)

    def _check_chosen(self, parsed: Sequence[Override], *, told: bool) -> None:
        """Refuse a config with open groups; quietly where other problems are told, which may be the cause."""
        filled = {each.key_or_group for each in parsed if self._is_group(each)}
        names = chosen(parsed, "experiment")
        files = self._files.texts
        asked = [f"experiment/{name}" for name in names]
        if problems := self._files.broken(asked):
            raise ConfigError(*problems)
        groups = [group for group in defaults_lists.unchosen(asked, files) if group not in filled]
        if groups and told:
            raise ConfigError()
        if groups:
            experiment = (names[-1], files[asked[-1]][0]) if names else None
            if found := defaults_lists.findings(["config", *asked], files, self._options):
                raise ConfigError(*found)
            added = {each.key_or_group: str(each.value()) for each in parsed}
            raise ConfigError(config_problems.not_chosen(groups, experiment, self._options, added))

    def _is_value(self, override: Override) -> bool:
        """Return whether an override sets a value, or takes one out, in Hydra's eyes too."""
        key = override.key_or_group
        plain = override.package is None and PLAIN_KEY.fullmatch(key) is not None
        return plain and not self._loader.repository.group_exists(key)

    def _is_group(self, override: Override) -> bool:
        return override.key_or_group in self._options

    def _forced(self, override: Override) -> str:
        """Return the override with `++` before a value, so that an unknown key is ours to report, not Hydra's."""
        text = typed(override)
        return text if self._is_group(override) or override.is_delete() else "++" + text.lstrip("+")

    def _written(self, files: Sequence[ResultDefault]) -> dict[str, Origin]:
        """Return where the files set each key.

        Raises:
            ConfigError: one of them is no map of texts.
        """
        unread = [each for each in files if (each.config_path, each.package) not in self._places]
        if problems := self._files.broken(each.config_path for each in unread):
            raise ConfigError(*problems)
        for each in unread:
            self._outside.note(self._files.read(each.config_path))
            self._places[each.config_path, each.package] = dict(
                self._files.written(each.config_path, each.package or "")
            )
        return {key: origin for each in files for key, origin in self._places[each.config_path, each.package].items()}

    def _typed(self, parsed: Sequence[Override], places: Places) -> dict[str, Origin]:
        here = Origin(COMMAND_LINE, None, self._root)
        return {
            key: origin
            for each in parsed
            if not self._is_group(each) and not each.is_delete()
            for key, origin in in_value(each.key_or_group, each.value(), places.get(typed(each)) or here)
        }

    def _explained(self, error: Exception, parsed: Sequence[Override], origins: Origins | None) -> ConfigError:
        """Return the error in our words: files that cannot be read, else defaults lists, else what Hydra said."""
        files = self._files.texts
        groups = dict.fromkeys(each.key_or_group for each in parsed)
        asked = ["config", *(f"{group}/{name}" for group in groups for name in chosen(parsed, group))]
        for names in (list(defaults_lists.reached(asked, files)), list(files)):
            if problems := self._files.broken(names):
                return ConfigError(*problems)
            if problems := defaults_lists.findings(asked, files, self._options):
                return ConfigError(*problems)
            if not isinstance(error, yaml.YAMLError | UnicodeDecodeError):
                break
        return ConfigError(config_problems.from_hydra(str(error), origins))


@contextmanager
def _hydra(root: Path, outside: Outside) -> Iterator[_Trees]:
    with initialised(root, outside):
        yield _Trees(root, outside)
