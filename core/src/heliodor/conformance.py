"""Holds what a plugin promises, and a step: the checks of `heliodor.testing.conformance`."""

from __future__ import annotations

import os
import pickle
import string
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from importlib import metadata
from types import ModuleType
from typing import Any

import numpy as np

from heliodor.comparing import same_in_pieces, same_on_scratch
from heliodor.data import PLAIN, Product, Ramp
from heliodor.declare import (
    Command,
    ModeSpec,
    ReferenceType,
    RefNeed,
    Resource,
    RuleSpec,
    Scheme,
    SelectorSpec,
    StepSpec,
    TransformSpec,
)
from heliodor.engine import STRIP, load, pieces
from heliodor.errors import HeliodorError, PluginError, did_you_mean
from heliodor.memory import Load, predict
from heliodor.params import Params
from heliodor.plugins import CORE, GROUP, Plugin, Registry, registry
from heliodor.references.selectors import Found, NotApplicable, Sources, Unknown
from heliodor.step import Step
from heliodor.trial import Exposures, Trial, each_of, planes_of

HEAVY = ("numpy", "numba", "pydantic", "astropy", "stdatamodels", "scipy", "matplotlib", "asdf")
"""What a declaration may not import."""

PIECES = 12
"""A phase may take memory for temporary arrays of so many times the size of its piece."""

FLAGS = ("groupdq", "pixeldq", "dq")

Complaints = Iterator[str]


# ------------------------------------------------------------------ a plugin


def check_plugin(given: str | ModuleType) -> None:
    """Hold what a plugin declares; see `heliodor.testing.conformance`."""
    plugins, plugin = _declared(given)
    if plugin.error:
        raise AssertionError(f"{plugin} cannot be declared: {plugin.error}")
    found = list(_light(plugin))
    for hook, records in plugin.records.items():
        for record in records:
            names = (getattr(record, each, None) for each in ("name", "path", "type"))
            name = next(filter(None, names), record)
            try:
                complaints = list(_CHECKS[hook](record, plugins))
            except HeliodorError as error:  # what it names cannot be loaded, or read
                complaints = [str(error)]
            found += (f"{type(record).__name__} {name}: {complaint}" for complaint in complaints)
    if not any(plugin.records.values()) and not _observes(plugin):
        found.append("it declares nothing: is the hook's function marked with @hookimpl?")
    if found:
        raise AssertionError("\n".join((f"{plugin}:", *found)))


def _declared(given: str | ModuleType) -> tuple[Registry, Plugin]:
    """Find a plugin among the installed ones, or declare a module beside them."""
    if isinstance(given, ModuleType):
        module = given.__name__
        others = [point for point in metadata.entry_points(group=GROUP) if point.value != module]
        name = module.removesuffix(".plugin").rpartition(".")[2]
        plugins = Registry([*others, metadata.EntryPoint(name, module, GROUP)])
        return plugins, next(plugin for plugin in plugins.plugins if plugin.module == module)
    known = {plugin.name: plugin for plugin in registry().plugins if plugin.key != CORE}
    if given not in known:
        raise PluginError(did_you_mean(given, known, "plugin"))
    return registry(), known[given]


def _observes(plugin: Plugin) -> bool:
    module = sys.modules[plugin.module]
    return any(hasattr(thing, f"{GROUP}_impl") for thing in vars(module).values())


def _light(plugin: Plugin) -> Complaints:
    """Look what declaring it imports: nothing heavy, so that it costs a millisecond."""
    code = f"import {plugin.module}, sys; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    if done.returncode:
        yield f"its module cannot be imported by itself: {done.stderr.strip().splitlines()[-1]}"
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    if heavy := sorted(loaded & {*HEAVY}):
        yield f"declaring it imports {', '.join(heavy)}: name what is heavy by a dotted path"


def _mode(mode: ModeSpec, plugins: Registry) -> Complaints:
    if "INSTRUME" not in mode.match.keywords:
        yield "its match lacks INSTRUME"
    if not mode.pipelines:
        yield "it has no pipeline"
    for other in plugins.modes.values():
        same = mode.match.within(other.match) and other.match.within(mode.match)
        if other is not mode and same:
            yield f"{other.name} of {plugins.owner(other)} is for the same exposures"
    if mode.simulation is not None:
        yield from _file(mode.simulation)


def _rule(rule: RuleSpec, plugins: Registry) -> Complaints:
    if rule.level not in (2, 3):
        yield f"its level is 2 or 3, not {rule.level}"
    if not any(member.required for member in rule.members):
        yield "no member is required"
    fields = {field for _, field, _, _ in string.Formatter().parse(rule.product) if field}
    if unknown := fields - {*rule.same}:
        yield f"its product's name has {', '.join(sorted(unknown))}, which members need not share"
    if rule.valid is not None and not callable(load(rule.valid)):
        yield f"{rule.valid} cannot be called"


def _selector(selector: SelectorSpec, plugins: Registry) -> Complaints:
    need = RefNeed("nothing_of_this_type")
    answers = load(selector.impl)(Sources()).select((need,), {})
    for kind, answer in answers.items():
        if not isinstance(answer, Found | NotApplicable | Unknown) or not answer.why:
            yield f"its answer for {kind} is not Found, NotApplicable or Unknown with a reason"
        elif not isinstance(answer, Unknown):
            yield "it answers for a type that nobody has"


def _file(resource: Resource) -> Complaints:
    from importlib.resources import files

    if not files(resource.package).joinpath(resource.path).is_file():
        yield f"there is no {resource.path} in {resource.package}: is it part of the wheel?"


def _pipeline(resource: Resource, plugins: Registry) -> Complaints:
    from heliodor.documents.nodes import StepNode, labelled
    from heliodor.documents.shipped import Shipped

    if missing := list(_file(resource)):
        yield from missing
        return
    document = Shipped(resource, "").document
    for _, node in labelled(document.steps):
        named = isinstance(node, StepNode) and not {":", "."} & {*node.step}
        if named and node.step not in plugins.steps:
            yield f"{node.place}: {did_you_mean(node.step, plugins.steps, 'step')}"


def _builds(resource: Resource, plugins: Registry) -> Complaints:
    from importlib.resources import files

    from heliodor.builds.records import parse

    if missing := list(_file(resource)):
        yield from missing
        return
    parse(files(resource.package).joinpath(resource.path).read_text("utf-8"), resource.path)


def _reference_type(kind: ReferenceType, plugins: Registry) -> Complaints:
    if not kind.type or kind.type != kind.type.lower():
        yield f"its type {kind.type!r} is not in small letters, as steps ask for it"
    for part in kind.parts:
        if part.axes and part.columns:
            yield f"{part.name} has axes and columns: it is an array or a table"
        if not all(letters.isalpha() for letters in part.axes.split("|") if part.axes):
            yield f"the axes of {part.name} are a letter each, {part.axes!r} is not"
        if any(unit != unit.upper() for unit in part.units):
            yield f"the units of {part.name} are compared in capital letters"


def _transform(transform: TransformSpec, plugins: Registry) -> Complaints:
    if not transform.types or not callable(load(transform.impl)):
        yield "it needs the types of references that it can change, and a function"


def _named(command: Command | Scheme, plugins: Registry) -> Complaints:
    if not command.help or not callable(load(command.impl)):
        yield "it needs a line of help, and a function"


# ------------------------------------------------------------------ a step


def _step(spec: StepSpec, plugins: Registry | None = None) -> Complaints:
    """Look at what a step declares, and whether its code has it."""
    implementation, model = load(spec.impl), load(spec.params)
    if not (isinstance(implementation, type) and issubclass(implementation, Step)):
        yield f"{spec.impl} is not a class of steps"
        return
    if not (isinstance(model, type) and issubclass(model, Params)):
        yield f"{spec.params} is not a class of parameters"
        return
    for phase in spec.phases:
        if not callable(getattr(implementation, phase.name, None)):
            yield f"its phase {phase.name} is not a method of {spec.impl}"
    if not spec.summary:
        yield "it has no summary"
    if not implementation.__doc__:
        yield f"{spec.impl} has no docstring"
    for name, field in model.model_fields.items():
        if not field.description:
            yield f"its parameter {name} is not described"
    for thing in (spec, model()):
        try:
            same = pickle.loads(pickle.dumps(thing)) == thing
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            yield f"{type(thing).__name__} cannot be pickled: {error}"
        else:
            if not same:
                yield f"{type(thing).__name__} is another when it has been pickled"


def check_step(trial: Trial, exposure: Exposures, may_clear: tuple[str, ...]) -> None:
    """Hold what a step promises, on an exposure; see `heliodor.testing.conformance`."""
    spec = trial.spec
    _refuse(spec, _step(spec))
    _refuse(spec, _lacking(trial, exposure))
    before = deepcopy(exposure)
    after, outcome = same_in_pieces(trial, exposure)
    if not spec.in_memory:
        same_on_scratch(trial, exposure)
    found: list[str] = []
    for number, (old, new) in enumerate(zip(each_of(before), each_of(after), strict=True), 1):
        whose = f"exposure_{number}: " if isinstance(after, list) else ""
        found += (f"{whose}{complaint}" for complaint in _kept(spec, old, new, may_clear))
    for kind, product in outcome.products.items():
        found += (f"{kind}: {complaint}" for complaint in _product(product))
    found += _memory(trial, exposure)
    if outcome.status != "COMPLETE":
        found.append(f"on this exposure it has not run: {outcome.reason}")
    _refuse(spec, found)


def _lacking(trial: Trial, exposure: Exposures) -> Complaints:
    """Name what the step needs and was not given."""
    spec, one = trial.spec, each_of(exposure)[0]
    if isinstance(exposure, Ramp | Product) != (spec.scope == "exposure"):
        yield f"its scope is {spec.scope}: give one exposure, or a list of several"
    for name in spec.reads:
        for inputs in [trial.inputs] if isinstance(trial.inputs, Mapping) else trial.inputs:
            if name not in inputs:
                yield f"it reads a {name}: give one, inputs={{'{name}': ...}}"
    asked = load(spec.params)(**trial.parameters)
    for each, params in ((spec, asked), *((c, load(c.params)()) for c in trial.called(one))):
        for need in each.refs:
            given = need.optional or need.type in trial.files[0]
            if not given and need.asked(one.keywords, params):
                yield f"{each.name} needs a {need.type} reference: give one"


def _refuse(spec: StepSpec, complaints: Iterable[str]) -> None:
    if found := list(complaints):
        raise AssertionError("\n".join((f"{spec.name}:", *found)))


def _kept(
    spec: StepSpec, before: Ramp | Product, after: Ramp | Product, may_clear: tuple[str, ...]
) -> Complaints:
    """Look for planes that were changed undeclared, bits that were cleared, types that changed."""
    from heliodor.bits import PIXEL

    writes = {plane for phase in spec.phases for plane in phase.writes}
    old, new = planes_of(before), planes_of(after)
    cleared = sum(PIXEL[name] for name in may_clear)
    for name, array in old.items():
        now = new.get(name)
        if now is None:
            yield f"{name} is gone"
            continue
        if now.dtype != array.dtype or not now.flags.c_contiguous:
            yield f"{name} is {now.dtype}, not C-contiguous {array.dtype}, when it has run"
        if spec.reshapes:
            continue
        if now.shape != array.shape:
            yield f"{name} has another shape: {now.shape}, not {array.shape}"
            continue
        lost = int(np.bitwise_or.reduce(array & ~now, axis=None)) if name in FLAGS else 0
        if lost & ~cleared:
            names = [bit for bit, value in PIXEL.items() if lost & ~cleared & value]
            yield f"{name} has lost {', '.join(names)}: is that meant (may_clear)?"
        # what references flag goes into PIXELDQ without being declared
        if name not in writes | {"pixeldq"} and now.tobytes() != array.tobytes():
            yield f"{name} has changed, but its phases do not declare that they write it"
    if isinstance(after, Product) and isinstance(before, Product) and after.unit != before.unit:
        yield f"its unit is {after.unit}, not {before.unit}, when it has run"


def _product(product: Product) -> Complaints:
    if not product.unit and product.model != PLAIN:
        yield "it has no unit"
    for name, array in product.planes.items():
        if not array.dtype.isnative or not array.flags.c_contiguous:
            yield f"{name} is not a native C-contiguous array"


def _memory(trial: Trial, exposure: Exposures) -> Complaints:
    """Compare the memory a step takes beside its input with what it says it takes."""
    copy = deepcopy(exposure)
    tracemalloc.start()
    try:
        trial.run(copy, 1, STRIP)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    exposures = each_of(exposure)
    said, most = map(sum, zip(*(_claim(trial, one) for one in exposures), strict=True))
    allowed = said + PIECES * most + (1 << 20)
    if peak > allowed:
        yield (
            f"it takes {peak / 1e6:.1f} MB of memory beside its input; what it declares, and "
            f"{PIECES} times a piece, is {allowed / 1e6:.1f} MB"
        )


def _claim(trial: Trial, exposure: Ramp | Product) -> tuple[int, int]:
    """Give what a step declares that it takes for an exposure, and the size of a piece."""
    called = trial.called(exposure)
    specs = (trial.spec, *called)
    image = 4 * int(np.prod(exposure.shape[-2:]))
    said = 2 * image * sum(one.adds + sum(need.planes for need in one.refs) for one in specs)
    if isinstance(exposure, Product):
        whole = sum(array.nbytes for array in exposure.planes.values())
        return said, max(whole, image)
    copies = tuple(plane for one in called for plane in one.writes)
    memory = predict(exposure.shape, [Load(trial.spec, tuple(called), copies)])
    cuts = (
        each
        for one in specs
        for phase in one.phases
        for each in pieces(phase, exposure.shape, STRIP)
    )
    piece = max((_size(exposure, each) for each in cuts), default=0)
    return said + memory.notes + memory.products, max(piece, image)


def _size(ramp: Ramp, piece: Any) -> int:
    nints, ngroups, _, nx = ramp.shape
    integrations = nints if piece.integration is None else 1
    groups = ngroups if piece.group is None else 1
    return 4 * integrations * groups * (piece.row_stop - piece.row_start) * nx


_CHECKS: dict[str, Callable[[Any, Registry], Complaints]] = {
    "heliodor_steps": _step,
    "heliodor_modes": _mode,
    "heliodor_rules": _rule,
    "heliodor_selectors": _selector,
    "heliodor_pipelines": _pipeline,
    "heliodor_builds": _builds,
    "heliodor_schemes": _named,
    "heliodor_reference_types": _reference_type,
    "heliodor_transforms": _transform,
    "heliodor_commands": _named,
}
