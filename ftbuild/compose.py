"""From a command line to settings: the only module that knows Hydra.

Owns the search path (the user's own conf/ in front of ours), the overrides, the expansion of
a sweep, and the file and line of every key. All problems of one composition are told at once.
`hydra.main` is not used: nothing here writes a file.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from ftbuild import config_problems, defaults_lists
from ftbuild.config_problems import COMMAND_LINE
from ftbuild.errors import ConfigError
from ftbuild.origins import Origin, Origins, broken, collect, in_file, in_value
from ftbuild.problem import Problem, nearest
from ftbuild.settings import Settings
from ftbuild.settings.contradictions import contradictions
from ftbuild.trees import GROUPS, experiments, shipped_conf, trees

SMOKE = ("model=tiny", "dataset.limit=20", "method.hyperparameters.n_epochs=1")


@dataclass(frozen=True)
class Composed:
    """One resolved config and where it came from.

    `tree` is the config as plain values, `bases` the folder each source's path starts from.
    """

    experiment: str
    description: str
    overrides: tuple[str, ...]
    settings: Settings
    tree: dict[str, Any]
    origins: Origins

    def source_path(self, name: str) -> Path:
        """Return the file of a source: absolute, or seen from the tree that holds its YAML."""
        key = f"dataset.sources.{name}.path"
        origin = self.origins.of(key)
        base = origin.tree if origin else Path.cwd()
        return base / self.settings.dataset.sources[name].path


def compose(root: Path, overrides: Sequence[str]) -> Composed:
    """Return the settings that the overrides ask for.

    Raises:
        ConfigError: with every unknown key, option and wrong value, each with its place.
    """
    with _hydra(root) as conf:
        parsed, problems = conf.parse(overrides)
        problems += [
            Problem(f"{each.input_line!r} asks for several values", COMMAND_LINE, fix="add -m to run them all.")
            for each in parsed
            if each.is_sweep_override()
        ]
        return conf.compose([each for each in parsed if not each.is_sweep_override()], problems)


def compose_sweep(root: Path, overrides: Sequence[str]) -> list[Composed]:
    """Return the settings of every point of a sweep, in Hydra's order: the last override varies fastest.

    Raises:
        ConfigError: as `compose`, with the problems of all points.
    """
    with _hydra(root) as conf:
        parsed, problems = conf.parse(overrides)
        choices = [
            [f"{each.get_key_element()}={value}" for value in each.sweep_string_iterator()]
            if each.is_sweep_override()
            else [each.input_line or ""]
            for each in parsed
        ]
        problems += [
            Problem(
                f"{each.input_line!r} asks for no value at all", COMMAND_LINE, fix="write values, 1,2 or range(1,3)."
            )
            for each, values in zip(parsed, choices, strict=True)
            if not values
        ]
        points = []
        for point in product(*choices):
            try:
                points.append(conf.compose(conf.parse(point)[0]))
            except ConfigError as error:
                problems += error.problems
        if problems:
            raise ConfigError(*config_problems.ordered(problems))
        return points


def to_yaml(composed: Composed) -> str:
    """Return the config as YAML, in the order of the files."""
    return str(OmegaConf.to_yaml(OmegaConf.create(composed.tree)))


class _Trees:
    """Hydra, initialised on the trees of one project."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trees = trees(root)
        self._loader: Any = GlobalHydra.instance().config_loader()
        self._options: dict[str, list[str]] = {group: self._loader.get_group_options(group) for group in GROUPS}

    def parse(self, overrides: Sequence[str]) -> tuple[list[Override], list[Problem]]:
        """Return the overrides parsed, and what is wrong with the others; `experiment=x` means `+experiment=x`."""
        parser = OverridesParser.create(config_loader=self._loader)
        parsed, problems = [], []
        for text in overrides:
            if found := config_problems.secret(text):
                problems.append(found)
                continue
            try:
                parsed.append(parser.parse_override(re.sub(r"^\+*experiment=", "+experiment=", text)))
            except HydraException:
                problems.append(config_problems.from_override(text))
        return parsed, problems

    def compose(self, parsed: Sequence[Override], problems: Sequence[Problem] = ()) -> Composed:
        """Return the settings, unless there are problems already: then only look for more of them.

        Raises:
            ConfigError: with every problem, those of overrides and those of files.
        """
        refused = [(each, found) for each in parsed if (found := self._refusal(each))]
        problems = [*problems, *(problem for _, found in refused for problem in found)]
        bad = [each for each, _ in refused]
        good = [each for each in parsed if each not in bad]
        unknown_experiment = any(each.key_or_group == "experiment" for each in bad)
        try:
            if not unknown_experiment:
                self._check_chosen(good, told=bool(problems))
                composed = self._settings(good)
        except ConfigError as error:
            problems += error.problems
        if problems:
            raise ConfigError(*config_problems.ordered(problems))
        return composed

    def _settings(self, parsed: Sequence[Override]) -> Composed:
        lines = [self._forced(each) for each in parsed]
        origins = None
        try:
            files = self._loader.compute_defaults_list("config", lines, RunMode.RUN).defaults
            if problems := self._broken(each.config_path for each in files):
                raise ConfigError(*problems)
            origins = self._origins(files, parsed)
            config = hydra_compose("config", overrides=lines)
            tree = OmegaConf.to_container(config, resolve=True)
        except (yaml.YAMLError, UnicodeDecodeError, HydraException, OmegaConfBaseException) as error:
            raise self._explained(error, parsed, origins) from error
        assert isinstance(tree, dict)
        try:
            settings = Settings.model_validate_json(json.dumps(tree))
        except ValidationError as error:
            raise ConfigError(*config_problems.from_validation(error, Settings, origins, self._options)) from error
        if problems := config_problems.from_contradictions(contradictions(settings), origins):
            raise ConfigError(*problems)
        name = "+".join(_chosen(parsed, "experiment"))
        return Composed(
            experiment=name or "unnamed",
            description=experiments(self._root).get(name, ""),
            overrides=tuple(each.input_line or "" for each in parsed),
            settings=settings,
            tree={str(key): value for key, value in tree.items()},
            origins=origins,
        )

    def _refusal(self, override: Override) -> list[Problem]:
        """Return what is wrong with an override before any file is read."""
        group, text = override.key_or_group, override.input_line or ""
        if group.partition("/")[0].partition(".")[0] == "hydra":
            return [Problem(f"{text}: ftbuild has no settings of Hydra", COMMAND_LINE, fix="leave it out.")]
        if not self._is_group(override):
            if override.package is None and "/" not in group:
                return []
            close = nearest(group, self._options)
            there = f"there are {defaults_lists.few(list(self._options))}."
            fix = f"the nearest is {close!r}; {there}" if close else there
            return [Problem(f"{text}: no group {group!r}", COMMAND_LINE, fix=fix)]
        if override.is_delete():
            return []
        options = self._options[group]
        value = override.value()
        if value is None and group != "experiment":
            return []
        found = []
        for option in value if isinstance(value, list) else [value]:
            if str(option) not in options:
                problem = defaults_lists.unknown_option(group, str(option), options, COMMAND_LINE, None)
                found.append(replace(problem, what=f"{text.lstrip('+')}: {problem.what}"))
        return found

    def _check_chosen(self, parsed: Sequence[Override], *, told: bool) -> None:
        """Refuse a config with open groups; quietly where other problems are told, which may be the cause."""
        filled = {each.key_or_group for each in parsed if self._is_group(each)}
        names = _chosen(parsed, "experiment")
        files = self._files()
        asked = [f"experiment/{name}" for name in names]
        if problems := self._broken(asked):
            raise ConfigError(*problems)
        groups = [group for group in defaults_lists.unchosen(asked, files) if group not in filled]
        if groups and told:
            raise ConfigError()
        if groups:
            experiment = (names[-1], files[asked[-1]][0]) if names else None
            if found := defaults_lists.findings(["config", *asked], files, self._options):
                raise ConfigError(*found)
            raise ConfigError(config_problems.not_chosen(groups, experiment, self._options))

    def _broken(self, names: Iterable[str | None]) -> list[Problem]:
        found = [place for name in names if (place := self._find(name))]
        return [problem for path, _ in found for problem in broken(path.read_bytes(), self._shown(path))]

    def _is_group(self, override: Override) -> bool:
        return override.key_or_group in self._options

    def _forced(self, override: Override) -> str:
        """Return the override with `++` before a value, so that an unknown key is ours to report, not Hydra's."""
        line = override.input_line or ""
        return line if self._is_group(override) or override.is_delete() else "++" + line.lstrip("+")

    def _origins(self, files: Sequence[Any], parsed: Sequence[Override]) -> Origins:
        def places() -> Iterator[tuple[str, Origin]]:
            for each in files:
                if found := self._find(each.config_path):
                    path, tree = found
                    yield from in_file(path, self._shown(path), tree.parent, each.package or "")
            typed = Origin(COMMAND_LINE, None, self._root)
            for override in parsed:
                if not self._is_group(override) and not override.is_delete():
                    yield from in_value(override.key_or_group, override.value(), typed)

        return collect(places())

    def _find(self, name: str | None) -> tuple[Path, Path] | None:
        for tree in self._trees:
            if name and (tree / f"{name}.yaml").is_file():
                return tree / f"{name}.yaml", tree
        return None

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self._root)) if path.is_relative_to(self._root) else str(path)

    def _files(self) -> dict[str, tuple[str, str]]:
        """Return every config file by name, as it is shown and its text; the user's own shadow ours."""
        return {
            path.relative_to(tree).with_suffix("").as_posix(): (
                self._shown(path),
                path.read_text(encoding="utf-8", errors="replace"),
            )
            for tree in reversed(self._trees)
            for path in sorted(tree.rglob("*.yaml"))
        }

    def _explained(self, error: Exception, parsed: Sequence[Override], origins: Origins | None) -> ConfigError:
        """Return the error in our words: files that cannot be read, else defaults lists, else what Hydra said."""
        files = self._files()
        chosen = [f"{each.key_or_group}/{name}" for each in parsed for name in _chosen([each], each.key_or_group)]
        asked = ["config", *chosen]
        for names in (list(defaults_lists.reached(asked, files)), list(files)):
            if problems := self._broken(names):
                return ConfigError(*problems)
            if problems := defaults_lists.findings(asked, files, self._options):
                return ConfigError(*problems)
            if not isinstance(error, yaml.YAMLError | UnicodeDecodeError):
                break
        return ConfigError(config_problems.from_hydra(str(error), origins))


def _chosen(parsed: Sequence[Override], group: str) -> list[str]:
    """Return the options of `group` that the overrides choose, in their order."""
    values = [each.value() for each in parsed if each.key_or_group == group and not each.is_delete()]
    return [str(option) for value in values for option in (value if isinstance(value, list) else [value])]


@contextmanager
def _hydra(root: Path) -> Iterator[_Trees]:
    own_first = [str(tree.resolve()) for tree in trees(root)[:-1]]

    class UserTree(SearchPathPlugin):
        """Puts the user's conf/ in front of ours, in this process only."""

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for tree in own_first:
                search_path.prepend(provider="project", path=f"file://{tree}", anchor="main")

    plugins = Plugins.instance()
    plugins.register(UserTree)
    try:
        with initialize_config_dir(config_dir=str(shipped_conf().resolve()), version_base="1.3", job_name="ftbuild"):
            yield _Trees(root)
    finally:
        plugins.plugin_type_to_subclass_list[SearchPathPlugin].remove(UserTree)
