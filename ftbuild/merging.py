"""What the points of a sweep share: each file is read once, and the files of a choice of groups merged once.

Does what Hydra does, in the order and by the code of Hydra, without reading everything again for each point. It also
starts Hydra on the trees of a project.
"""

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra._internal.config_repository import CachingConfigRepository
from hydra._internal.defaults_list import create_defaults_list
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.default_element import ResultDefault
from hydra.core.override_parser.types import Override
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin
from omegaconf import DictConfig, OmegaConf
from omegaconf.resolvers import oc

from ftbuild.origins import Origin
from ftbuild.outside import Outside
from ftbuild.trees import shipped_conf, trees

__all__ = ["Merged", "Merging", "initialised", "is_off", "of_space", "plain", "typed"]

LOOKED_AT = re.compile(r"\$\{([A-Za-z_]\w*)(?:\.\w+)*\}")


@contextmanager
def initialised(root: Path, outside: Outside) -> Iterator[None]:
    """Initialise Hydra on the trees of a project, in this process only; variables come from `outside`."""
    own_first = [str(tree.resolve()) for tree in trees(root)[:-1]]

    class UserTree(SearchPathPlugin):
        """Puts the user's conf/ in front of ours."""

        def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
            for tree in own_first:
                search_path.prepend(provider="project", path=f"file://{tree}", anchor="main")

    plugins = Plugins.instance()
    plugins.register(UserTree)
    OmegaConf.register_new_resolver("oc.env", outside.variable, replace=True)
    try:
        with initialize_config_dir(config_dir=str(shipped_conf().resolve()), version_base="1.3", job_name="ftbuild"):
            yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
        plugins.plugin_type_to_subclass_list[SearchPathPlugin].remove(UserTree)


class Merging:
    """The config files as Hydra's loader finds them, each read once."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self._contents: dict[tuple[str | None, str | None], DictConfig] = {}

    def files(self, groups: Sequence[Override]) -> list[ResultDefault]:
        """Return the files of a choice of groups in the order of merging, less Hydra's own.

        Raises:
            HydraException: a defaults list is wrong.
        """
        lists = create_defaults_list(self._repository, "config", list(groups), prepend_hydra=False, skip_missing=False)
        return list(lists.defaults)

    def merged(self, files: Sequence[ResultDefault], written: Mapping[str, Origin]) -> "Merged":
        """Return the files merged, with the places where they set each key.

        Raises:
            HydraException: a file cannot be read.
            OmegaConfBaseException: two of them cannot be merged.
        """
        config = OmegaConf.create()
        for each in files:
            config.merge_with(self._content(each))
        OmegaConf.set_struct(config, True)
        tree = plain(config, resolve=False)
        return Merged(config, tree, written, self._loader._apply_overrides_to_config, _linked(tree.items()))

    @cached_property
    def _repository(self) -> CachingConfigRepository:
        repository: CachingConfigRepository
        _, repository = self._loader._parse_overrides_and_create_caching_repo("config", [])
        return repository

    def _content(self, file: ResultDefault) -> DictConfig:
        """Return what a file holds, below its package; merging it into another leaves it as it is."""
        key = (file.config_path, file.package)
        if key not in self._contents:
            self._contents[key] = self._loader._load_single_config(file, self._repository).config
        return self._contents[key]


@dataclass(frozen=True)
class Merged:
    """What points with one choice of groups share: the merged files, with no value of the command line set yet.

    `config` is as Hydra leaves it, `tree` the same as plain values, unresolved. `linked` are the
    top-level keys that interpolate or are looked at, None where that cannot be told from the text.
    """

    config: DictConfig
    tree: Mapping[str, Any]
    written: Mapping[str, Origin]
    set_values: Callable[[Sequence[Override], DictConfig], None]
    linked: frozenset[str] | None
    parts: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def with_values(self, values: Sequence[Override]) -> dict[str, Any]:
        """Return the resolved config with the values set in their order, in the way and by the code of Hydra.

        The linked keys are resolved together and every other one alone, each once for equal values.

        Raises:
            HydraException: a value cannot be set.
            OmegaConfBaseException: something cannot be resolved.
        """
        linked = _linked((_top(each), typed(each)) for each in values)
        if self.linked is None or linked is None or any(map(_takes_out_top, values)):
            return self._resolved(copy.deepcopy(self.config), values)
        linked |= self.linked
        tree = dict(self.tree)
        for top in dict.fromkeys([*map(_top, values), *linked]):
            together = linked if top in linked else {top}
            tree[top] = self._part(together, [each for each in values if _top(each) in together])[top]
        return tree

    def unresolved(self, top: str, values: Sequence[Override]) -> Any:
        """Return a top-level key as plain values that interpolate yet, with the values set; None where there is none.

        Raises:
            HydraException: a value cannot be set.
            OmegaConfBaseException: a value cannot be set.
        """
        part = OmegaConf.masked_copy(self.config, [top] if top in self.config else [])
        OmegaConf.set_struct(part, True)
        self.set_values(values, part)
        return plain(part, resolve=False).get(top)

    def looks_at(self, name: str, values: Sequence[Override]) -> bool:
        """Return whether anything may interpolate `name`, once the values are set."""
        text = " ".join([self._text, *map(typed, values)])
        return "${" in text and name in text

    @cached_property
    def _text(self) -> str:
        return str(self.tree)

    def _part(self, tops: Set[str], values: Sequence[Override]) -> dict[str, Any]:
        known = (*sorted(tops), *map(typed, values))
        if known not in self.parts:
            part = OmegaConf.masked_copy(self.config, [top for top in tops if top in self.config])
            OmegaConf.set_struct(part, True)
            self.parts[known] = self._resolved(part, values)
        return self.parts[known]

    def _resolved(self, config: DictConfig, values: Sequence[Override]) -> dict[str, Any]:
        self.set_values(values, config)
        return plain(config, resolve=True)


def _linked(texts: Iterable[tuple[str, object]]) -> frozenset[str] | None:
    """Return the top-level keys whose texts interpolate, and those they look at; None for what is not plainly a key."""
    found: set[str] = set()
    for top, text in texts:
        if "${" in str(text):
            found |= {top, *LOOKED_AT.findall(str(text))}
        if "${" in LOOKED_AT.sub("", str(text)):
            return None
    return frozenset(found)


def typed(override: Override) -> str:
    """Return an override as it was written."""
    return override.input_line or ""


def chosen(parsed: Sequence[Override], group: str) -> list[str]:
    """Return the options of `group` that the overrides choose, in their order."""
    values = [each.value() for each in parsed if each.key_or_group == group and not each.is_delete()]
    return [str(option) for value in values for option in (value if isinstance(value, list) else [value])]


def _top(override: Override) -> str:
    return override.key_or_group.partition(".")[0]


def _takes_out_top(override: Override) -> bool:
    return override.is_delete() and override.key_or_group == _top(override)


def plain(config: DictConfig, *, resolve: bool) -> dict[str, Any]:
    """Return a config as a map of plain values.

    Raises:
        OmegaConfBaseException: something cannot be resolved.
    """
    tree = OmegaConf.to_container(config, resolve=resolve)
    assert isinstance(tree, dict)
    return {str(key): value for key, value in tree.items()}


def of_space(override: Override) -> bool:
    """Return whether an override is about the search space."""
    return override.key_or_group.partition(".")[0] == "sweep"


def is_off(override: Override) -> bool:
    """Return whether an override says that there is no space."""
    is_no = override.is_delete() or override.value() in (None, "none")
    return override.key_or_group == "sweep" and is_no
