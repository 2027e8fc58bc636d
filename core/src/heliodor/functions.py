"""Functions on arrays as steps: what a step declares is read from a function's signature."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np

from heliodor.data import Product, Ramp
from heliodor.declare import Look, Phase, RefNeed, StepSpec
from heliodor.errors import StepError
from heliodor.params import Params
from heliodor.signatures import AXES, BESIDE, Asked, Signature, where
from heliodor.step import Piece, References, Skipped, Step

Cut = Callable[[str, np.ndarray], np.ndarray]
"""Gives the part of a plane that a call of the function sees."""


def status_keyword(name: str) -> str:
    """Give the keyword that records a step of this name: ``destripe`` has ``S_DESTRI``."""
    return "S_" + re.sub(r"[^A-Z0-9]", "", name.upper())[:6]


def summary(thing: Any) -> str:
    """Give the first paragraph of a docstring, in one line."""
    return " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())


def attach(
    function: Callable[..., Any],
    spec: StepSpec | None = None,
    *,
    looks: Look | None = None,
    writes: str | Iterable[str] | None = None,
    title: str = "",
    when: Mapping[str, Any] | None = None,
    references: str | RefNeed | Iterable[str | RefNeed] = (),
    takes: Literal["ramp", "image"] | None = None,
    status: str = "",
    sets_bits: Iterable[str] = (),
    version: str = "1",
) -> None:
    """Make a step of a function: its attributes ``Step`` and ``Params`` are the two classes.

    Parameters
    ----------
    function : see `heliodor.step.step`, also for the other arguments
    spec : a declaration made elsewhere, instead of one made here

    Raises
    ------
    heliodor.errors.PluginError
        With file and line, for what the signature or the declaration cannot mean.
    """
    reader = Signature(function)
    params = reader.params()
    needs = _needs(references)
    image = takes or reader.takes()
    if spec is None:
        planes = reader.planes(image)
        given = planes if writes is None else (writes,) if isinstance(writes, str) else (*writes,)
        asked = {name: needs.get(name) or RefNeed(name) for name in reader.references}
        named = f"{function.__module__}:{function.__qualname__}"
        spec = StepSpec(
            name=function.__name__,
            impl=f"{named}.Step",
            params=f"{named}.Params",
            summary=title or summary(function) or function.__name__,
            status=status or status_keyword(function.__name__),
            phases=(Phase("run", looks or "exposure", given),),
            refs=tuple(replace(need, optional=reader.optional(n)) for n, need in asked.items()),
            sets_bits=tuple(sets_bits),
            takes=image or "ramp",
            prepare_reads=(),
            version=version,
        )
    reader.check(spec)
    (phase,) = spec.phases
    body = {
        "__module__": function.__module__,
        "__qualname__": f"{function.__qualname__}.Step",
        "__doc__": function.__doc__,
        "Params": params,
        "spec": spec,
        "when": dict(when or {}),
        "either": image is None,
        "declared": frozenset(needs),
        "function": staticmethod(function),
        "asked": reader.asked,
        phase.name: FunctionStep.apply,
    }
    made: Any = function
    made.Params = params
    made.Step = type(f"{function.__name__}.Step", (FunctionStep,), body)


class FunctionStep(Step[Params]):
    """Gives a function its part of each array, and takes back what it returns.

    Attributes
    ----------
    spec : the declaration
    when : condition for running it, as in a document
    either : it works on ramps as on products
    declared : reference types that belong to it alone
    function, asked : what is called, and with what
    """

    spec: ClassVar[StepSpec]
    when: ClassVar[Mapping[str, Any]] = {}
    either: ClassVar[bool] = False
    declared: ClassVar[frozenset[str]] = frozenset()
    function: ClassVar[Callable[..., Any]]
    asked: ClassVar[tuple[Asked, ...]] = ()

    def prepare(self, data: Ramp | Product, refs: References) -> None:
        """Read the images of references; look whether the planes are there."""
        (self._phase,) = self.spec.phases
        self._said: list[str] = []
        self._worked = False
        self._given = {name: value for name, value in self.params if name != "skip"}
        self._references: dict[str, Any] = {}
        planes = _planes(data)
        for each in self.asked:
            if each.name in refs:
                reference = refs[each.name]
                self._references[each.name] = reference if each.opened else reference.plane()
            elif each.needed and each.name not in (*BESIDE, *planes):
                raise self._error(
                    f"it asks for {each.name}; there is {', '.join(planes)}"
                    f"{' in this ' + data.kind if isinstance(data, Product) else ''}"
                )

    def apply(self, data: Ramp | Product, piece: Piece | None = None) -> None:
        """Call the function with a piece of a ramp, or with a product, image by image if it can."""
        cuts: Iterable[Cut]
        if isinstance(data, Ramp) and piece is not None:
            cuts = (_cut_ramp(piece),)
        else:
            cuts = _cuts_product(data.shape, self._phase.looks)
        for cut in cuts:
            self._once(data, cut, piece)

    def _once(self, data: Ramp | Product, cut: Cut, piece: Piece | None) -> None:
        planes = {name: cut(name, array) for name, array in _planes(data).items()}
        images = {
            name: cut(name, value) if isinstance(value, np.ndarray) else value
            for name, value in self._references.items()
        }
        for name, array in (*planes.items(), *images.items()):
            if name not in self._phase.writes and isinstance(array, np.ndarray):
                array.flags.writeable = False
        beside = (self._keywords(data), piece, self.log)
        found = {**dict(zip(BESIDE, beside, strict=True)), **planes, **images}
        arguments = {each.name: found[each.name] for each in self.asked if each.name in found}
        answer = type(self).function(**arguments, **self._given)
        if isinstance(answer, Skipped):
            self._said.append(answer.reason)
            return
        self._worked = True
        if answer is not None:
            self._take(answer, planes)

    def _keywords(self, data: Ramp | Product) -> Mapping[str, Any]:
        """Give keywords; where several pieces see them at once, nobody may set one."""
        whole = self._phase.looks == "exposure" or isinstance(data, Product)
        return data.keywords if whole else types.MappingProxyType(data.keywords)

    def _take(self, answer: Any, planes: Mapping[str, np.ndarray]) -> None:
        """Put what was returned where it belongs."""
        writes = self._phase.writes
        returned = answer if isinstance(answer, Mapping) else {(*writes, "data")[0]: answer}
        for name, array in returned.items():
            if name not in writes or name not in planes:
                raise self._error(
                    f"it returned {name}, but writes {', '.join(writes) or 'nothing'}"
                )
            new, place = np.asarray(array), planes[name]
            if new.shape != place.shape:
                raise self._error(f"it returned {name} of shape {new.shape}, not {place.shape}")
            np.copyto(place, new, casting="same_kind")

    def _error(self, message: str) -> StepError:
        return StepError(f"{where(type(self).function)}: {message}")

    def finish(self, data: Ramp | Product) -> Skipped | None:
        """Say that it was left out, if the function has said so of everything."""
        if not self._said:
            return None
        reason = min(self._said)
        if self._worked:
            raise self._error(f"it left out a part of the data only: {reason}")
        return Skipped(reason)


def _planes(data: Ramp | Product) -> dict[str, np.ndarray]:
    if isinstance(data, Product):
        return dict(data.planes)
    found = {name: getattr(data, name) for name in AXES}
    return {name: array for name, array in found.items() if array is not None}


def _cut_ramp(piece: Piece) -> Cut:
    bounds = {"i": piece.integration, "g": piece.group, "y": piece.rows, "x": slice(None)}

    def cut(name: str, array: np.ndarray) -> np.ndarray:
        if name not in AXES or array.ndim != len(AXES[name]):
            return array[..., piece.rows, :]
        index = (slice(None) if bounds[axis] is None else bounds[axis] for axis in AXES[name])
        return array[tuple(index)]

    return cut


def _cuts_product(shape: tuple[int, ...], looks: Look) -> Iterator[Cut]:
    """Go through the images of a product, or give it whole."""
    if looks not in ("frame", "frames", "ramp") or len(shape) == 2:
        yield lambda name, array: array[...]
        return
    for integration in range(shape[0]):
        yield partial(_image, integration)


def _image(integration: int, name: str, array: np.ndarray) -> np.ndarray:
    return array[integration] if array.ndim == 3 else array[...]


def _needs(references: str | RefNeed | Iterable[str | RefNeed]) -> dict[str, RefNeed]:
    given = (references,) if isinstance(references, str | RefNeed) else references
    needs = (RefNeed(each) if isinstance(each, str) else each for each in given)
    return {need.type: need for need in needs}
