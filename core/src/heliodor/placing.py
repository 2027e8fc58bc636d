"""What each node of a pipeline becomes for one exposure: which step, by whom, how set."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from heliodor import exposures, stepfiles
from heliodor.documents.conditions import Facts
from heliodor.documents.nodes import MAIN
from heliodor.documents.walk import CopyUse, SaveUse, StepUse, Use
from heliodor.engine import load
from heliodor.errors import NotYetError, PluginError
from heliodor.layers import Layered
from heliodor.parameterfiles import ParameterFile
from heliodor.plans import PlannedCopy, PlannedNode, PlannedSave, PlannedStep
from heliodor.plugins import Offer, Registry
from heliodor.products.names import product_name
from heliodor.reachable import inputs, left_out, outputs

if TYPE_CHECKING:
    from heliodor.exposures import Exposure

Placed: TypeAlias = tuple[StepUse, str] | SaveUse | CopyUse
"""A node of the document; a step with the port that it works on."""


@dataclass
class Placer:
    """Goes through a pipeline once, and plans its nodes.

    Attributes
    ----------
    plugins : what is installed
    exposure, facts : what is known about it
    trusted : distributions whose steps may be chosen without being named
    takes : what the pipeline begins with
    layers : parameters that the user gives; those of documents and files are added
    files : of parameters, the weakest first
    out : folder for products
    names : by which steps may be addressed, as far as they have been met
    ramps : ports that hold one, as far as they have been met
    """

    plugins: Registry
    exposure: Exposure
    facts: Facts
    trusted: Collection[str]
    takes: str
    layers: Layered
    files: tuple[ParameterFile, ...]
    out: Path
    names: set[str] = field(default_factory=set)
    ramps: set[str] = field(default_factory=set)

    def nodes(self, uses: Iterable[Use]) -> list[PlannedNode]:
        """Plan nodes, in the order in which they are carried out."""
        uses = list(uses)
        if self.exposure.level in exposures.RAMP_LEVELS:
            self.ramps.add(MAIN)
        for use in uses:
            if isinstance(use, StepUse):
                for each in (*use.wrappers, use):
                    self._take_parameters(each)
        return [node for use in self._by_port(uses) for node in self._nodes(use)]

    def _take_parameters(self, use: StepUse) -> None:
        """Take what documents and files say about a step."""
        # what a build did with a step says nothing about a stranger's
        strange = use.use is not None and use.use not in self.trusted
        self.layers.add_settings(
            f"/{use.path}",
            [each for each in use.settings if not (strange and each.layer == "build profile")],
        )
        self._take_files({use.label, use.step, use.path, f"/{use.path}"}, use.path)

    def _take_files(self, names: set[str], path: str) -> None:
        """Take what files say about a step by one of its names."""
        for file in self.files:
            self.layers.add_file(file.about(names, f"/{path}"))
        self.names |= names

    def _by_port(self, uses: list[Use]) -> list[Placed]:
        """Order the nodes of a loop port by port: each product is finished before the next."""
        ordered: list[Placed] = []
        loop: list[tuple[StepUse, str] | SaveUse] = []
        ports: tuple[str, ...] = ()
        around: tuple[tuple[str, ...], int] = (), 0

        def close() -> None:
            loop.sort(key=lambda node: ports.index(_port(node)))
            ordered.extend(loop)
            loop.clear()

        for use in uses:
            if isinstance(use, StepUse):
                if (use.each, use.round) != around:
                    close()
                    around, ports = (use.each, use.round), use.each
                if use.each:
                    loop.extend((use, port) for port in use.each)
                else:
                    ordered.append((use, use.port))
            elif isinstance(use, SaveUse) and use.port in ports:
                loop.append(use)
            else:
                close()
                around, ports = ((), 0), ()
                ordered.append(use)
        close()
        return ordered

    def _nodes(self, use: Placed) -> Iterator[PlannedNode]:
        """Plan a node of the document; a step that replaces others comes after these."""
        if isinstance(use, CopyUse) and use.port in self.ramps:
            self.ramps.add(use.to)
        match use:
            case StepUse() as step, str() as port:
                yield from self._replaced(step, port)
                planned = self._step(step, port)
                if planned.spec.wraps:
                    raise step.place.error(
                        f"{step.label} has something to do before and after another step: "
                        "'wrap' that one with it."
                    )
                yield planned
            case SaveUse() if use.runs is not False:
                yield self._save(use)
            case CopyUse() if use.runs is not False:
                yield PlannedCopy(use.port, use.to, (), use.condition)

    def _replaced(self, use: StepUse, port: str) -> Iterator[PlannedStep]:
        """Give the registered steps that this one stands for, as left out."""
        for name in use.replaces:
            if name != use.step and name in self.plugins.steps:
                offer = self.plugins.choose(name, self.exposure.keywords, self.trusted)
                reason = f"replaced by {use.label} ({use.place})"
                params = load(offer.spec.params)()
                yield PlannedStep(name, offer, params, {}, port, {}, False, reason, use.condition)

    def _step(self, use: StepUse, port: str) -> PlannedStep:
        offer, use = self._offer(use, port)
        if (
            self.exposure.level not in exposures.RAMP_LEVELS
            and port == MAIN
            and offer.spec.takes == "ramp"
        ):
            raise use.place.error(f"{use.label} works on ramps, and not on {self.takes}.")
        if offer.spec.scope != "exposure" and (use.on_error != "fail" or use.wrappers):
            raise NotYetError(
                f"{use.place}: {use.label} looks at several exposures; it cannot be wrapped, or "
                "have 'on_error', yet."
            )
        params, origins = self.layers.resolve(
            use.label, load(offer.spec.params), use.step, use.path
        )
        runs, reason = use.runs is not False, use.reason
        if runs and params.skip:
            runs, reason = False, f"skip is true ({origins['skip']})"
        calls = self._calls(use, offer, ())
        changed = {
            name: origin
            for name, origin in origins.items()
            if origin.layer != "declared default" and name != "skip"
        }
        step = PlannedStep(
            label=use.label,
            offer=offer,
            params=params,
            origins=changed,
            port=port,
            to=outputs(use, offer.spec),
            runs=runs,
            reason=reason,
            condition=use.condition,
            offered=() if use.use or ":" in use.step else self._offered(offer),
            inputs=inputs(use, offer.spec),
            on_error=use.on_error,
            round=use.round,
            wrappers=tuple(self._wrapper(wrapper, port) for wrapper in use.wrappers),
            calls=calls if runs else (),
            path=use.path,
            said=self.layers.said(use.label, use.step, use.path),
        )
        return step if runs else left_out(step, reason)

    def _wrapper(self, use: StepUse, port: str) -> PlannedStep:
        step = self._step(use, port)
        if not step.spec.wraps:
            raise use.place.error(
                f"{use.label} has nothing to do after another step; 'insert' it instead."
            )
        return step

    def _calls(
        self, use: StepUse, caller: Offer, above: tuple[str, ...]
    ) -> tuple[PlannedStep, ...]:
        """Plan the steps that one may call; their parameters are given by ``STEP/CALLED``."""
        planned = []
        above = (*above, caller.spec.name)
        for name in caller.spec.calls:
            if name in above:
                chain = " calls ".join((*above, name))
                raise PluginError(f"{caller.plugin}: {chain}: this would never end.")
            trusted = {*self.trusted, caller.plugin.distribution}
            offer = self.plugins.choose(name, self.exposure.keywords, trusted)
            inner = "/".join((*above[1:], name))
            label, path = f"{use.label}/{inner}", f"{use.path}/{inner}"
            self._take_files({label, path, f"/{path}"}, path)
            params, origins = self.layers.resolve(label, load(offer.spec.params), path=path)
            changed = {n: o for n, o in origins.items() if o.layer != "declared default"}
            planned.append(
                PlannedStep(
                    label=label,
                    offer=offer,
                    params=params,
                    origins=changed,
                    port=use.port,
                    to={},
                    runs=True,
                    reason="",
                    condition=use.condition,
                    calls=self._calls(use, offer, above),
                    path=path,
                    said=self.layers.said(label, path=path),
                )
            )
        return tuple(planned)

    def _offer(self, use: StepUse, port: str) -> tuple[Offer, StepUse]:
        """Choose who does a step; one from a file may itself say when it is done."""
        keywords = self.exposure.keywords
        if stepfiles.is_code(use.step):
            ramp = port in self.ramps
            return stepfiles.place(use, port, self.plugins, keywords, self.facts, ramp=ramp)
        return self.plugins.choose(use.step, keywords, self.trusted, use.use), use

    def _offered(self, chosen: Offer) -> tuple[str, ...]:
        """Name strangers whose implementation would have been more specific."""
        if isinstance(chosen, stepfiles.FileOffer):
            return ()
        return tuple(
            offer.plugin.distribution
            for offer in self.plugins.steps[chosen.spec.name]
            if offer is not chosen
            and offer.spec.applies.accepts(self.exposure.keywords)
            and offer.spec.applies.within(chosen.spec.applies)
        )

    def _save(self, use: SaveUse) -> PlannedSave:
        name = product_name(self.exposure.path, use.suffix)
        return PlannedSave(use.port, use.suffix, self.out / name, use.condition)


def _port(node: tuple[StepUse, str] | SaveUse) -> str:
    return node[1] if isinstance(node, tuple) else node.port
