"""Steps that no plugin offers: ``my_steps.py:destripe`` and ``package.module:destripe``.

A file becomes a module of its own name, made from its path and content: two documents may have
files of one name, and a file that has changed is read anew without disturbing plans made before.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import inspect
import sys
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from heliodor.declare import Keywords, StepSpec
from heliodor.documents.conditions import ALWAYS, All, Condition, Facts
from heliodor.documents.when import parse_condition
from heliodor.documents.yaml import Place, placed
from heliodor.errors import HeliodorError, PluginError, UsageError, did_you_mean
from heliodor.functions import FunctionStep, attach, status_keyword, summary
from heliodor.plugins import Offer, Plugin, Registry
from heliodor.step import Step

if TYPE_CHECKING:
    from heliodor.documents.walk import StepUse
    from heliodor.plans import PlannedStep

_CLASS_MAY_SAY = tuple(
    field.name
    for field in dataclasses.fields(StepSpec)
    if field.name not in ("name", "impl", "params", "summary")
)
"""What a class in a file declares by attributes of these names."""


@dataclass
class Code(Plugin):
    """The file or module of a step that no plugin offers.

    Attributes
    ----------
    path : of the file
    sha256 : of its content
    """

    path: Path = Path()
    sha256: str = ""

    @property
    def version(self) -> str:
        """Its hash; of an installed module with the version of what installed it."""
        installed = "" if self.distribution == self.name else f"{super().version} "
        return f"{installed}sha256:{self.sha256}"

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class FileOffer(Offer):
    """A step in a file or module, and the condition that it makes itself."""

    when: Condition = ALWAYS


def is_code(step: str) -> bool:
    """Whether a step is named by a file or module, and not by its name, alone or with a scheme."""
    return "." in step.partition(":")[0]


def offers(step: str, plugins: Registry) -> list[Offer]:
    """Give all implementations of a step of plugins, or the one in a file or module."""
    return [find(step, plugins)] if is_code(step) else plugins.offers(step)


def find(step: str, plugins: Registry, *, ramp: bool = True) -> FileOffer:
    """Find a step in a file or module.

    Parameters
    ----------
    step : ``folder/my_steps.py:destripe``, ``package.module:destripe``, or ``package.module`` for
        what has the module's name
    plugins : whose reference types the step may ask for
    ramp : it shall work on a ramp, and not on a product, if it can do both

    Raises
    ------
    heliodor.errors.UsageError
        There is no such file, module or step.
    heliodor.errors.PluginError
        It cannot be imported, or is no step; the message gives file and line.
    """
    source, _, name = step.rpartition(":") if ":" in step else (step, "", step.rpartition(".")[2])
    module, code = _file(Path(source)) if source.endswith(".py") else _module(source)
    thing = getattr(module, name, None)
    if thing is None:
        raise UsageError(did_you_mean(name, _steps(module), f"step in {code.name}"))
    implementation, spec = _declared(thing, code.name)
    when = getattr(implementation, "when", None)
    if issubclass(implementation, FunctionStep):
        spec = _with_known_references(spec, implementation, plugins, code.name)
        if implementation.either and not ramp:
            spec = dataclasses.replace(spec, takes="image")
    return FileOffer(spec, code, _condition(when, thing, code) if when else ALWAYS)


def place(
    use: StepUse, port: str, plugins: Registry, keywords: Keywords, facts: Facts, *, ramp: bool
) -> tuple[FileOffer, StepUse]:
    """Find a step for its place in a pipeline.

    Parameters
    ----------
    use, port : the place, and what is worked on there
    plugins, keywords, facts : what is installed, and what is known about the exposure
    ramp : the port holds a ramp, and not a product

    Returns
    -------
    the step, and its use, narrowed by the condition that the step makes itself

    Raises
    ------
    heliodor.errors.HeliodorError
        As by `find`, with the line of the document; or it does not work on what is there.
    """
    if use.use is not None:
        raise use.place.error(f"'use' is for steps of plugins, not for {use.step}.")
    try:
        offer = find(use.step, plugins, ramp=ramp)
    except HeliodorError as error:
        raise type(error)(f"{use.place}: {error}") from error
    if ramp != (offer.spec.takes == "ramp"):
        what = "a product: say which with 'of'" if ramp else f"ramps, and not on {port}"
        raise use.place.error(f"{use.label} works on {what}.")
    truth, reason = offer.when.evaluate(facts), offer.when.because(facts)
    if not offer.spec.applies.accepts(keywords):
        asked = offer.spec.applies.keywords.items()
        reason = "it is for " + ", ".join(f"{name} {' or '.join(each)}" for name, each in asked)
        truth = False
    use = dataclasses.replace(use, condition=All((use.condition, offer.when)))
    if truth is False and use.runs is not False:
        use = dataclasses.replace(use, runs=False, reason=reason)
    elif truth is not True and use.runs is True:
        reason = f"decided at run: {offer.when.describe()}"
        use = dataclasses.replace(use, runs=truth, reason=reason)
    return offer, use


def refuse_shared_keywords(steps: Iterable[PlannedStep]) -> None:
    """Refuse a step from a file that would record itself under another's keyword."""
    owners: dict[str, PlannedStep] = {}
    every = [each for step in steps for each in (step, *step.wrappers)]
    for step in sorted(every, key=lambda step: isinstance(step.offer, FileOffer)):
        other = owners.setdefault(step.spec.status, step)
        if isinstance(step.offer, FileOffer) and other.spec.name != step.spec.name:
            raise UsageError(
                f"{step.offer.plugin}: {step.label} and {other.label} would both be recorded as "
                f"{step.spec.status}; give yours another, such as @step(status='S_MINE')."
            )


def _file(path: Path) -> tuple[ModuleType, Code]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}.") from error
    sha256 = hashlib.sha256(content).hexdigest()
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()
    name = f"heliodor_{path.stem}_{place[:8]}_{sha256[:16]}"
    code = Code(path.name, name, path.name, state="declared", path=path, sha256=sha256)
    if name in sys.modules:
        return sys.modules[name], code
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        exec(compile(content, str(path), "exec", dont_inherit=True), module.__dict__)
    except BaseException as error:
        del sys.modules[name]
        raise _broken(error, path) from error
    return module, code


def _broken(error: BaseException, path: Path) -> BaseException:
    """Say in which line of a file an import has failed; let an interruption be one."""
    if not isinstance(error, Exception | SystemExit):
        return error
    if isinstance(error, HeliodorError):
        return error  # it says file and line itself
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return PluginError(f"{path.name}:{error.lineno}: SyntaxError: {error.msg}")
    line = raised_at(error, str(path)) or path.name
    return PluginError(f"{line}: {type(error).__name__}: {error}")


def raised_at(error: BaseException, file: str | None) -> str:
    """Give the last line of a file that an error came through: ``step.py:12``, or nothing."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    return f"{Path(file).name}:{lines[-1]}" if file and lines else ""


def _module(name: str) -> tuple[ModuleType, Code]:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise UsageError(f"{name}: there is no module '{error.name}' installed.") from error
        raise PluginError(f"{name}: {type(error).__name__}: {error}") from error
    except Exception as error:
        raise PluginError(f"{name}: {type(error).__name__}: {error}") from error
    owners = metadata.packages_distributions().get(name.partition(".")[0], [name])
    path = Path(module.__file__ or "")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return module, Code(name, name, owners[0], state="declared", path=path, sha256=sha256)


def _steps(module: ModuleType) -> list[str]:
    """Names of what a module itself defines and that could be a step."""
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(thing) or _is_class(thing))
        and thing.__module__ == module.__name__
    ]


def _is_class(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, Step)


def declared(thing: Any) -> StepSpec:
    """Give the declaration of a function, a class of steps, or a declaration itself.

    Raises
    ------
    heliodor.errors.PluginError
        It is none of these.
    """
    if isinstance(thing, StepSpec):
        return thing
    return _declared(thing, getattr(thing, "__module__", ""))[1]


def _declared(thing: Any, source: str) -> tuple[type[Step], StepSpec]:
    if isinstance(thing, StepSpec):
        from heliodor.engine import load

        return load(thing.impl), thing
    if _is_class(thing):
        return thing, _of_class(thing)
    if not inspect.isfunction(thing):
        raise PluginError(f"{source}: {thing!r} is neither a function nor a class of steps.")
    if not hasattr(thing, "Step"):
        attach(thing)  # all of it can be inferred, or that says what cannot
    made: Any = thing
    return made.Step, made.Step.spec


def _of_class(found: type[Step]) -> StepSpec:
    said = {name: getattr(found, name) for name in _CLASS_MAY_SAY if hasattr(found, name)}
    named = f"{found.__module__}:{found.__qualname__}"
    spec = StepSpec(
        name=found.__name__,
        impl=named,
        params=f"{named}.Params",
        summary=summary(found) or found.__name__,
        **{"status": status_keyword(found.__name__), **said},
    )
    for phase in spec.phases:
        if not callable(getattr(found, phase.name, None)):
            raise PluginError(f"{found.__qualname__}: its phase {phase.name} is not a method.")
    return spec


def _with_known_references(
    spec: StepSpec, implementation: type[FunctionStep], plugins: Registry, source: str
) -> StepSpec:
    """Look for the reference types a function asks for as other steps do."""
    known = {
        need.type: need
        for offers in plugins.steps.values()
        for offer in offers
        for need in offer.spec.refs
    }
    needs = []
    for need in spec.refs:
        if need.type in implementation.declared:
            needs.append(need)
            continue
        if need.type not in known:
            names = {*known, *(phase for each in spec.phases for phase in each.writes), "data"}
            said = did_you_mean(need.type, names, "plane or reference type")
            raise PluginError(
                f"{source}: {spec.name}: {said} A type of your own is declared: "
                f"@step(references='{need.type}')."
            )
        keys = known[need.type].keys
        needs.append(dataclasses.replace(need, keys=keys, header=known[need.type].header))
    return dataclasses.replace(spec, refs=tuple(needs))


def _condition(when: Mapping[str, Any], thing: Any, code: Code) -> Condition:
    try:
        line = inspect.getsourcelines(thing)[1]
    except (OSError, TypeError):
        line = 1
    place = Place(code.path.name, line)
    return parse_condition(placed(when, place), place)
