"""Finding plugins, in three states: listed, declared, loaded.

*Listed*: the text of an entry point.  *Declared*: its module has been imported and its hooks have
returned their records.  *Loaded*: the code that a record names has been imported, at its first
use.  A plugin that fails is named, with its version and cause, and the rest go on.
"""

from __future__ import annotations

import functools
import importlib
import itertools
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from types import ModuleType
from typing import Any

import pluggy

from heliodor import checks, hookspecs
from heliodor.declare import (
    Command,
    Keywords,
    ModeSpec,
    ReferenceType,
    Resource,
    RuleSpec,
    Scheme,
    SelectorSpec,
    StepSpec,
    TransformSpec,
)
from heliodor.errors import PluginError, UsageError, did_you_mean

GROUP = "heliodor"
CORE = "heliodor:core"
"""Key of the core's own plugin."""

DECLARING = {
    "heliodor_steps": StepSpec,
    "heliodor_modes": ModeSpec,
    "heliodor_rules": RuleSpec,
    "heliodor_selectors": SelectorSpec,
    "heliodor_reference_types": ReferenceType,
    "heliodor_transforms": TransformSpec,
    "heliodor_pipelines": Resource,
    "heliodor_schemes": Scheme,
    "heliodor_builds": Resource,
    "heliodor_commands": Command,
}
"""Declaring hooks and what each returns."""

UNIQUE = {
    "heliodor_modes": "name",
    "heliodor_rules": "name",
    "heliodor_selectors": "rank",
    "heliodor_transforms": "name",
    "heliodor_schemes": "name",
    "heliodor_commands": "name",
}
"""Hooks and what no two of their records may share."""


@dataclass
class Plugin:
    """One entry point.

    Attributes
    ----------
    name : of the entry point
    module : dotted name
    distribution : that installed it
    about : headers of the distribution's metadata
    state : ``listed``, ``declared`` or ``failed``
    error : why it failed
    records : what its hooks returned, by hook name
    deprecations : what it uses that will go, in the words of the warnings
    """

    name: str
    module: str
    distribution: str
    about: str = ""
    state: str = "listed"
    error: str = ""
    records: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    deprecations: tuple[str, ...] = ()

    @functools.cached_property
    def version(self) -> str:
        """Version of the distribution."""
        if said := re.search(r"^Version: *(.+?) *$", self.about, re.MULTILINE):
            return said[1]
        try:
            return metadata.version(self.distribution)
        except metadata.PackageNotFoundError:
            return "unknown"

    @property
    def needs(self) -> list[str]:
        """What the distribution depends on."""
        return re.findall(r"^Requires-Dist: *(.+?) *$", self.about, re.MULTILINE)

    @property
    def key(self) -> str:
        """Unique among all entry points."""
        return f"{self.distribution}:{self.name}"

    def __str__(self) -> str:
        return f"{self.distribution}=={self.version} ({self.name})"


@dataclass(frozen=True)
class Offer:
    """A step implementation and who offers it."""

    spec: StepSpec
    plugin: Plugin


class Registry:
    """All plugins of this Python environment and what they declare.

    Parameters
    ----------
    entry_points : instead of the installed ones; for tests
    only : names of plugins to use, instead of all
    """

    def __init__(
        self,
        entry_points: Iterable[metadata.EntryPoint] | None = None,
        only: Iterable[str] | None = None,
    ):
        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(hookspecs)
        self.traced = bool(os.environ.get("HELIODOR_TRACE_HOOKS"))
        self.plugins = listed(entry_points)
        if only is not None:
            wanted, known = set(only), {plugin.name for plugin in self.plugins}
            for name in sorted(wanted - known):
                raise UsageError(did_you_mean(name, known, "plugin"))
            self.plugins = [p for p in self.plugins if p.name in wanted or p.key == CORE]
        for plugin in self.plugins:
            self._declare(plugin)
        self._refuse_conflicts()
        self.steps: dict[str, list[Offer]] = {}
        for plugin, spec in self._records("heliodor_steps"):
            self.steps.setdefault(spec.name, []).append(Offer(spec, plugin))
        self.modes: dict[str, ModeSpec] = self._by_name("heliodor_modes")
        self.rules: dict[str, RuleSpec] = self._by_name("heliodor_rules")
        self.reference_types: list[ReferenceType] = [
            each for _, each in self._records("heliodor_reference_types")
        ]
        self.transforms: dict[str, TransformSpec] = self._by_name("heliodor_transforms")
        self.schemes: dict[str, Scheme] = self._by_name("heliodor_schemes")
        self.commands: dict[str, Command] = self._by_name("heliodor_commands")
        self.selectors: list[SelectorSpec] = sorted(
            (spec for _, spec in self._records("heliodor_selectors")), key=lambda spec: spec.rank
        )

    @property
    def failed(self) -> list[Plugin]:
        """Plugins that could not be declared."""
        return [plugin for plugin in self.plugins if plugin.state == "failed"]

    @property
    def pipelines(self) -> list[tuple[Resource, Plugin]]:
        """All pipeline documents and who offers them."""
        return [(resource, plugin) for plugin, resource in self._records("heliodor_pipelines")]

    @property
    def builds(self) -> list[tuple[Resource, Plugin]]:
        """All documents of builds and who offers them."""
        return [(resource, plugin) for plugin, resource in self._records("heliodor_builds")]

    def owner(self, record: Any) -> Plugin:
        """Find the plugin that declared `record`."""
        for plugin in self.plugins:
            if any(any(record is each for each in many) for many in plugin.records.values()):
                return plugin
        raise PluginError(f"{record!r} was not declared by any plugin")

    def offers(self, name: str) -> list[Offer]:
        """All implementations of a step.

        Raises
        ------
        UsageError
            There is none; the message names what is nearest, and plugins that failed.
        """
        if ":" in name:
            return [self.resolve(name)]
        if name not in self.steps:
            raise UsageError(did_you_mean(name, self.steps, "step") + self._failures())
        return self.steps[name]

    def resolve(self, name: str, instead_of: StepSpec | None = None) -> Offer:
        """Find the step that a name of the form ``SCHEME:REST`` means.

        Parameters
        ----------
        name : as it stands in a document
        instead_of : the declared implementation it stands in for, or None

        Raises
        ------
        UsageError
            There is no such scheme, or no such step in it.
        """
        from heliodor.engine import load

        scheme, _, rest = name.partition(":")
        if scheme not in self.schemes:
            raise UsageError(
                did_you_mean(scheme, self.schemes, "scheme of steps")
                + f" A package may be missing: `pip install heliodor-{scheme}`."
                + self._failures()
            )
        found = self.schemes[scheme]
        return Offer(load(found.impl)(rest, instead_of), self.owner(found))

    def choose(
        self, name: str, keywords: Keywords, trusted: Iterable[str], use: str | None = None
    ) -> Offer:
        """Choose the implementation of a step for an exposure.

        A stranger's implementation never replaces one of `trusted`: it is chosen only for a step
        that these do not offer, or when `use` names it.

        Parameters
        ----------
        name : of the step
        keywords : of the exposure
        trusted : distributions that may be chosen without being named
        use : distribution that a document asks for, or a step by ``SCHEME:REST``

        Raises
        ------
        PluginError
            Several match and none of one distribution is contained in all others; all are named.
        UsageError
            None is for this exposure, or the step is unknown.
        """
        if use is not None and ":" in use:
            return self.resolve(use, self.choose(name, keywords, trusted).spec)
        offers = self.offers(name)
        known = {offer.plugin.distribution for offer in offers}
        if use is not None and use not in known:
            raise UsageError(did_you_mean(use, known, f"implementation of {name} in"))
        chosen_from = {use} if use is not None else known & set(trusted) or known
        matching = [
            offer
            for offer in offers
            if offer.plugin.distribution in chosen_from and offer.spec.applies.accepts(keywords)
        ]
        if not matching:
            raise UsageError(
                f"{name}: no implementation is for this exposure; there is "
                + "; ".join(f"{o.plugin} for {_exposures(o.spec)}" for o in offers)
                + ". Another distribution's is taken by `use:` in the pipeline."
            )
        strangers = {offer.plugin.distribution for offer in matching} - set(trusted)
        if len(strangers) > 1:
            raise self._tie(name, matching)
        return self._most_specific(name, matching)

    def _most_specific(self, name: str, offers: list[Offer]) -> Offer:
        best = [
            offer
            for offer in offers
            if all(offer.spec.applies.within(other.spec.applies) for other in offers)
        ]
        if len(best) == 1:
            return best[0]
        raise self._tie(name, best or offers)

    def _tie(self, name: str, offers: list[Offer]) -> PluginError:
        named = " and by ".join(str(offer.plugin) for offer in offers)
        return PluginError(
            f"{name} is offered by {named} for the same exposures. Say which: "
            f"`use: {offers[0].plugin.distribution}` in the pipeline."
        )

    def recognise(self, keywords: Keywords) -> ModeSpec:
        """Find the mode of an exposure.

        Raises
        ------
        UsageError
            No installed plugin knows it; the message says which package to install.
        PluginError
            Two know it equally well.
        """
        found = [mode for mode in self.modes.values() if mode.match.accepts(keywords)]
        if not found:
            raise UsageError(self._unknown_mode(keywords))
        best = [m for m in found if all(m.match.within(other.match) for other in found)]
        if len(best) != 1:
            tied = best or found
            raise PluginError(
                "This exposure is claimed by the modes "
                + " and ".join(f"{mode.name} of {self.owner(mode)}" for mode in tied)
            )
        return best[0]

    def _unknown_mode(self, keywords: Keywords) -> str:
        instrument = str(keywords.get("INSTRUME", "")).upper()
        exp_type = keywords.get("EXP_TYPE")
        known = sorted({mode.instrument for mode in self.modes.values()})
        if instrument in known:
            return (
                f"No mode of {instrument} has EXP_TYPE {exp_type}. "
                "`heliodor modes` lists those there are." + self._failures()
            )
        return (
            f"Nothing installed knows INSTRUME {instrument} (EXP_TYPE {exp_type}): install its "
            f"package, `pip install heliodor-{instrument.lower()}`. "
            f"Installed: {', '.join(known) or 'no instrument'}." + self._failures()
        )

    def notify(self, event: str, **arguments: Any) -> list[str]:
        """Tell all plugins of an event; what they raise is returned as text and goes no further."""
        problems = []
        by_key = {plugin.key: plugin for plugin in self.plugins}
        for implementation in getattr(self.manager.hook, event).get_hookimpls():
            plugin = by_key[implementation.plugin_name]
            given = {name: arguments[name] for name in implementation.argnames}
            try:
                self._traced(plugin, event, implementation.function, given)
            except (Exception, SystemExit) as error:
                problems.append(f"{plugin}: {event}: {type(error).__name__}: {error}")
        return problems

    def blame(self, path: str) -> str:
        """Name the plugin to which the module of a dotted path belongs, or the module itself."""
        module = path.partition(":")[0]
        for plugin in self.plugins:
            if plugin.module.partition(".")[0] == module.partition(".")[0]:
                return str(plugin)
        return module

    def _traced(
        self, plugin: Plugin, hook: str, function: Callable[..., Any], given: Mapping[str, Any]
    ) -> Any:
        """Call one implementation of a hook; if hooks are traced, say so on standard error."""
        start, outcome = time.perf_counter(), "None"
        try:
            answer = function(**given)
            # what a declaring hook gives may be made while it is gone through
            answer = tuple(answer) if hook in DECLARING else answer
            outcome = f"{len(answer)} records" if hook in DECLARING else "done"
            return answer
        except BaseException as error:
            outcome = f"{type(error).__name__}: {error}"
            raise
        finally:
            if self.traced:
                spent = 1e3 * (time.perf_counter() - start)
                print(f"hook {hook} of {plugin}: {outcome}, {spent:.2f} ms", file=sys.stderr)

    def _failures(self) -> str:
        return "".join(f"\nNot working: {plugin}: {plugin.error}" for plugin in self.failed)

    def _declare(self, plugin: Plugin) -> None:
        """Import a plugin and call its declaring hooks; a failure drops the whole plugin."""
        try:
            checks.core(plugin.needs)
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always", DeprecationWarning)
                module = importlib.import_module(plugin.module)
                checks.marked(module, DECLARING)
                self.manager.register(module, name=plugin.key)
                self.manager.check_pending()
                records = {hook: self._call(hook, module, plugin) for hook in DECLARING}
            for record in itertools.chain.from_iterable(records.values()):
                checks.record(record)
        except (Exception, SystemExit) as error:  # whatever a stranger's module raises
            self._fail(plugin, f"{type(error).__name__}: {error}")
            return
        plugin.records = records
        plugin.deprecations = tuple(dict.fromkeys(str(warning.message) for warning in warned))
        plugin.state = "declared"

    def _fail(self, plugin: Plugin, error: str) -> None:
        plugin.state = "failed"
        plugin.error = error
        plugin.records = {}
        if self.manager.has_plugin(plugin.key):
            self.manager.unregister(name=plugin.key)

    def _refuse_conflicts(self) -> None:
        """Fail plugins that declare the same thing.

        All of them, so that the order of their names decides nothing; only the core's own stays.
        """
        for hook, attribute in UNIQUE.items():
            claims: dict[Any, list[tuple[Plugin, Any]]] = {}
            for plugin, record in self._records(hook):
                claims.setdefault(getattr(record, attribute), []).append((plugin, record))
            for value, claimants in claims.items():
                plugins = [
                    plugin
                    for number, (plugin, record) in enumerate(claimants)
                    if any(
                        _clash(record, other)
                        for _, other in (*claimants[:number], *claimants[number + 1 :])
                    )
                ]
                named = " and by ".join(str(plugin) for plugin in plugins)
                for plugin in plugins:
                    if plugin.key != CORE:
                        self._fail(plugin, f"{hook}: {attribute} {value!r} is declared by {named}")

    def _records(self, hook: str) -> Iterator[tuple[Plugin, Any]]:
        for plugin in self.plugins:
            for record in plugin.records.get(hook, ()):
                yield plugin, record

    def _by_name(self, hook: str) -> dict[str, Any]:
        return {record.name: record for _, record in self._records(hook)}

    def _call(self, hook: str, module: ModuleType, plugin: Plugin) -> tuple[Any, ...]:
        """Call one plugin's implementation of a declaring hook, if it has one."""
        caller = getattr(self.manager.hook, hook)
        for implementation in caller.get_hookimpls():
            if implementation.plugin is module:
                records = self._traced(plugin, hook, implementation.function, {})
                for record in records:
                    if not isinstance(record, DECLARING[hook]):
                        raise PluginError(
                            f"{hook} returned {record!r}, not a {DECLARING[hook].__name__}"
                        )
                return records
        return ()


def listed(entry_points: Iterable[metadata.EntryPoint] | None = None) -> list[Plugin]:
    """List the plugins of this environment, without importing any.

    Parameters
    ----------
    entry_points : instead of the installed ones; for tests

    Returns
    -------
    sorted by distribution and name, so that nothing depends on the order of sys.path
    """
    points = metadata.entry_points(group=GROUP) if entry_points is None else entry_points
    plugins = (_plugin(point) for point in points)
    return sorted(plugins, key=lambda plugin: (plugin.distribution, plugin.name))


def _clash(one: Any, other: Any) -> bool:
    """Whether two records of one name or rank exclude each other."""
    return not isinstance(one, SelectorSpec) or one.rivals(other)


def _plugin(point: metadata.EntryPoint) -> Plugin:
    about = ""
    if point.dist is not None:
        # the library's own reader takes ten times as long
        text = point.dist.read_text("METADATA") or point.dist.read_text("PKG-INFO") or ""
        about = text.replace("\r", "").partition("\n\n")[0]
    name = re.search(r"^Name: *(.+?) *$", about, re.MULTILINE)
    return Plugin(point.name, point.value, name[1] if name else point.value.split(".")[0], about)


def _exposures(spec: StepSpec) -> str:
    return str({key: list(values) for key, values in spec.applies.keywords.items()} or "all")


@functools.cache
def registry() -> Registry:
    """Return the plugins of this environment, found once in a process.

    $HELIODOR_PLUGINS (names separated by commas) restricts them; $HELIODOR_TRACE_HOOKS prints
    every hook call.
    """
    only = os.environ.get("HELIODOR_PLUGINS")
    return Registry(only=None if only is None else filter(None, only.split(",")))
