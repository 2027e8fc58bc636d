"""Parameters from several places: each value remembers who gave it.

A value of a later layer replaces that of an earlier one; nothing is silently ignored.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from heliodor.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    from heliodor.documents.nodes import Setting
    from heliodor.parameterfiles import ParameterFile
    from heliodor.params import Params

P = TypeVar("P", bound="Params")

LAYERS = (
    "declared default",
    "mode",
    "build profile",
    "parameter reference",
    "pipeline file",
    "user file",
    "command line",
    "Python",
)
"""From the weakest to the strongest."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Who gave a value: the layer, and where in it (``calwebb_detector1.yaml:12``, ``-p``)."""

    layer: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.layer}, {self.where}" if self.where else self.layer


@dataclass(frozen=True, slots=True)
class Given:
    """A value that a layer gives.

    Attributes
    ----------
    step : its label, path or name
    param, value : as read
    origin : who gave it
    folder : that names of files are relative to; None: where the program is
    """

    step: str
    param: str
    value: Any
    origin: Origin
    folder: Path | None = None


@dataclass
class Layered:
    """Collects values and makes a step's parameters of them.

    Examples
    --------
    >>> from heliodor.params import Params, parameter
    >>> class JumpParams(Params):
    ...     rejection_threshold: float = parameter(4.0, "Cut.", unit="sigma", ge=0)
    >>> layers = Layered()
    >>> layers.add("command line", "-p", "jump", "rejection_threshold", "5")
    >>> layers.add("user file", "my.yaml:4", "jump", "rejection_threshold", 6.0)
    >>> params, origins = layers.resolve("jump", JumpParams)
    >>> params.rejection_threshold, str(origins["rejection_threshold"])
    (5.0, 'command line, -p')
    """

    given: list[Given] = dataclasses.field(default_factory=list)

    def add(
        self,
        layer: str,
        where: str,
        step: str,
        param: str,
        value: Any,
        folder: Path | None = None,
    ) -> None:
        """Take a value.

        Parameters
        ----------
        layer : one of `LAYERS`
        where : place in it, for people
        step : label of a step in the pipeline, its path, or a step's name for all its uses
        param : the parameter
        value : as read; text is understood by the parameter's type
        folder : that the name of a file is relative to
        """
        if layer not in LAYERS:
            raise ValueError(did_you_mean(layer, LAYERS, "layer"))
        self.given.append(Given(step, param, value, Origin(layer, where), folder))

    def add_argument(self, argument: str, where: str = "-p") -> None:
        """Take ``STEP.PARAMETER=VALUE`` from the command line."""
        name, equals, value = argument.partition("=")
        step, dot, param = name.strip().rpartition(".")
        if not equals or not dot or not step or not param:
            raise UsageError(f"{where} {argument}: write STEP.PARAMETER=VALUE.")
        self.add("command line", where, step, param, value)

    def add_settings(self, step: str, settings: Iterable[Setting]) -> None:
        """Take what documents set for a step (see `heliodor.documents.walk.StepUse`)."""
        for setting in settings:
            called, _, param = setting.param.rpartition(".")
            whose = f"{step}/{called}" if called else step
            where = str(setting.place)
            self.add(setting.layer, where, whose, param, setting.value, setting.folder)

    def add_file(self, file: ParameterFile) -> None:
        """Take what a parameter file says about steps."""
        for value in file.values:
            if value.step:
                self.add(file.layer, file.path.name, value.step, value.param, value.value)

    def check(self, steps: Collection[str]) -> None:
        """Refuse values for steps that are not in the pipeline.

        Parameters
        ----------
        steps : labels and names of all steps
        """
        wrong = [
            f"{given.step}.{given.param} ({given.origin}): "
            + did_you_mean(given.step, steps, "step")
            for given in self.given
            if given.step not in steps
        ]
        if wrong:
            raise UsageError("\n".join(wrong))

    def resolve(
        self, label: str, model: type[P], name: str | None = None, path: str = ""
    ) -> tuple[P, dict[str, Origin]]:
        """Make the parameters of one step.

        Parameters
        ----------
        label : of the step in the pipeline
        model : the step's parameters
        name : of the step, if it is not its label; within one layer what is given for the label
            counts more than what is given for the name
        path : the label with those around it, which counts more still; documents give
            parameters for ``/path``, that one step and no other of its name

        Returns
        -------
        the parameters, and the origin of each

        Raises
        ------
        UsageError
            for names the step does not have and values it does not take, all in one message
        """
        chosen = {given.param: given for given in self.said(label, name, path)}
        _refuse_unknown(label, model, chosen.values())
        params = _validated(label, model, chosen)
        default = Origin(LAYERS[0], f"{model.__module__}.{model.__qualname__}")
        origins = {
            param: chosen[param].origin if param in chosen else default
            for param in model.model_fields
        }
        return params, origins

    def said(self, label: str, name: str | None = None, path: str = "") -> tuple[Given, ...]:
        """Give all that was said about a step, the weakest first; of equals the last counts."""
        keys = (name or label, label, path, f"/{path}")
        strength = {key: number for number, key in enumerate(keys)}
        mine = [given for given in self.given if given.step in strength]
        mine.sort(key=lambda given: (LAYERS.index(given.origin.layer), strength[given.step]))
        return tuple(mine)


def _refuse_unknown(label: str, model: type[Params], chosen: Collection[Given]) -> None:
    wrong = [
        f"{label}.{given.param} ({given.origin}): "
        + did_you_mean(given.param, model.model_fields, f"parameter of {label}")
        for given in chosen
        if given.param not in model.model_fields
    ]
    if wrong:
        raise UsageError("\n".join(wrong))


def _validated(label: str, model: type[P], chosen: dict[str, Given]) -> P:
    from pydantic import ValidationError

    from heliodor.params import allowed, wanted

    values = {
        param: wanted(model.model_fields[param]).located(given.value, given.folder)
        for param, given in chosen.items()
    }
    try:
        return model(**values)
    except ValidationError as error:
        said = []
        for name in dict.fromkeys(str(fault["loc"][0]) for fault in error.errors() if fault["loc"]):
            given, field = chosen[name], model.model_fields[name]
            value = values[name] if isinstance(values[name], Path) else repr(given.value)
            said.append(
                f"{label}.{name} = {value} ({given.origin}) is not allowed; "
                f"it takes {allowed(field)}. {field.description} Default: {field.default!r}."
            )
        # a rule of the model about several parameters has no place of its own
        said.extend(
            f"{label}: {fault['msg'].removeprefix('Value error, ')} "
            f"({'; '.join(sorted({str(given.origin) for given in chosen.values()}))})"
            for fault in error.errors()
            if not fault["loc"]
        )
        raise UsageError("\n".join(said)) from None
