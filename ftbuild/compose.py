"""From a command line to settings: the only module that knows Hydra.

Owns the search path (the user's own conf/ in front of ours), the overrides, the expansion of
a sweep, and the file and line of every key. All problems of one composition are told at once.
`hydra.main` is not used: nothing here writes a file.
"""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

from ftbuild import config_problems
from ftbuild.config_problems import COMMAND_LINE, FileLines
from ftbuild.errors import ConfigError
from ftbuild.origins import Origin, Origins, collect, in_file, in_value
from ftbuild.problem import Problem
from ftbuild.settings import Settings

PACKAGE = Path(__file__).parent
GROUPS = ("goal", "source", "dataset", "style", "model", "method", "provider", "evaluation", "tracker", "experiment")
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


def find_root(start: Path) -> Path:
    """Return the nearest folder, from `start` upwards, whose conf/ is a config tree; else `start`."""
    for folder in (start, *start.parents):
        conf = folder / "conf"
        if (conf / "config.yaml").is_file() or any((conf / group).is_dir() for group in GROUPS):
            return folder
    return start


def shipped_conf() -> Path:
    """Return our own tree: the checkout's conf/ beside the package, else the wheel's inside it."""
    beside = PACKAGE.parent / "conf"
    return beside if (beside / "config.yaml").is_file() else PACKAGE / "conf"


def trees(root: Path) -> list[Path]:
    """Return the config trees in order of precedence: the user's own first."""
    own, ours = root / "conf", shipped_conf()
    return [ours] if not own.is_dir() or own.resolve() == ours.resolve() else [own, ours]


def experiments(root: Path) -> dict[str, str]:
    """Return every experiment with its one-line description, by name."""
    found: dict[str, str] = {}
    for tree in trees(root):
        for path in sorted((tree / "experiment").glob("*.yaml")):
            found.setdefault(path.stem, _description(path.read_text(encoding="utf-8")))
    return dict(sorted(found.items()))


def compose(root: Path, overrides: Sequence[str]) -> Composed:
    """Return the settings that the overrides ask for.

    Raises:
        ConfigError: with every unknown key, option and wrong value, each with its place.
    """
    with _hydra(root) as conf:
        parsed = conf.parse(overrides)
        if sweeping := [each.input_line for each in parsed if each.is_sweep_override()]:
            raise ConfigError(
                Problem(f"{sweeping[0]!r} asks for several values", COMMAND_LINE, fix="add -m to run them all.")
            )
        return conf.compose(parsed)


def compose_sweep(root: Path, overrides: Sequence[str]) -> list[Composed]:
    """Return the settings of every point of a sweep, in Hydra's order: the last override varies fastest.

    Raises:
        ConfigError: as `compose`, at the first point that has problems.
    """
    with _hydra(root) as conf:
        parsed = conf.parse(overrides)
        choices = [
            [f"{each.get_key_element()}={value}" for value in each.sweep_string_iterator()]
            if each.is_sweep_override()
            else [each.input_line or ""]
            for each in parsed
        ]
        return [conf.compose(conf.parse(point)) for point in product(*choices)]


def to_yaml(composed: Composed) -> str:
    """Return the config as YAML, in the order of the files."""
    return str(OmegaConf.to_yaml(OmegaConf.create(composed.tree)))


class _Trees:
    """Hydra, initialised on the trees of one project."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trees = trees(root)
        self._loader: Any = GlobalHydra.instance().config_loader()
        self._options = {group: self._loader.get_group_options(group) for group in GROUPS}

    def parse(self, overrides: Sequence[str]) -> list[Override]:
        """Return the overrides parsed; `experiment=x` means `+experiment=x`."""
        parser = OverridesParser.create(config_loader=self._loader)
        parsed, problems = [], []
        for text in overrides:
            if looks_secret(text):
                problems.append(_secret(text))
                continue
            try:
                parsed.append(parser.parse_override("+" + text if text.startswith("experiment=") else text))
            except HydraException:
                problems.append(config_problems.from_override(text))
        if problems:
            raise ConfigError(*problems)
        return parsed

    def compose(self, parsed: Sequence[Override]) -> Composed:
        """Return the settings; every problem of overrides and files is found before anything is raised."""
        self._check_options(parsed)
        lines = [self._forced(each) for each in parsed]
        try:
            files = self._loader.compute_defaults_list("config", lines, RunMode.RUN).defaults
            config = hydra_compose("config", overrides=lines)
            tree = OmegaConf.to_container(config, resolve=True)
        except yaml.MarkedYAMLError as error:
            raise ConfigError(self._yaml_problem(error)) from error
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(self._hydra_problem(error)) from error
        origins = self._origins(files, parsed)
        assert isinstance(tree, dict)
        try:
            settings = Settings.model_validate_json(json.dumps(tree))
        except ValidationError as error:
            raise ConfigError(
                *config_problems.from_validation(error, Settings, origins, self._options)
            ) from error
        name = next((str(each.value()) for each in parsed if each.key_or_group == "experiment"), "")
        return Composed(
            experiment=name or "unnamed",
            description=experiments(self._root).get(name, ""),
            overrides=tuple(each.input_line or "" for each in parsed),
            settings=settings,
            tree={str(key): value for key, value in tree.items()},
            origins=origins,
        )

    def _check_options(self, parsed: Sequence[Override]) -> None:
        problems = []
        for each in parsed:
            if self._is_group(each) and not each.is_delete():
                value = each.value()
                chosen = value if isinstance(value, list) else [value]
                problems += [
                    config_problems.unknown_option(
                        each.key_or_group, str(option), self._options[each.key_or_group], COMMAND_LINE, None
                    )
                    for option in chosen
                    if option is not None and str(option) not in self._options[each.key_or_group]
                ]
        if problems:
            raise ConfigError(*problems)

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

    def _yaml_problem(self, error: yaml.MarkedYAMLError) -> Problem:
        """Return the finding about the first file that is not YAML; Hydra's own error does not always name it."""
        for tree in self._trees:
            for path in sorted(tree.rglob("*.yaml")):
                try:
                    yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
                except yaml.MarkedYAMLError as broken:
                    mark = broken.problem_mark
                    return Problem(
                        f"not YAML: {broken.problem}", self._shown(path), mark.line + 1 if mark else None
                    )
        return Problem(f"not YAML: {error.problem}")

    def _hydra_problem(self, error: Exception) -> Problem:
        texts = {
            str(path.relative_to(tree).with_suffix("")): (self._shown(path), path.read_text(encoding="utf-8"))
            for tree in reversed(self._trees)
            for path in tree.rglob("*.yaml")
        }
        return config_problems.from_hydra(str(error), FileLines(texts, self._options))


@contextmanager
def _hydra(root: Path) -> Iterator[_Trees]:
    own_first = [str(tree.resolve()) for tree in trees(root)[:-1]]

    class UserTree(SearchPathPlugin):  # type: ignore[misc]
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


def looks_secret(text: str) -> bool:
    """Return whether an override seems to hold a key: nothing of the kind may reach a file."""
    return re.search(r"=[\"']?(sk|gsk|hf|ghp)[-_][A-Za-z0-9_-]{16,}", text) is not None


def _secret(text: str) -> Problem:
    return Problem(
        f"{text.partition('=')[0]} looks like a secret",
        COMMAND_LINE,
        why="Overrides are written to run files.",
        fix="put it in an environment variable and name the variable.",
    )


def _description(text: str) -> str:
    for line in text.splitlines():
        if line.startswith("#") and "@package" not in line:
            return re.split(r"\s{2,}", line.lstrip("# ").strip())[0]
    return ""
