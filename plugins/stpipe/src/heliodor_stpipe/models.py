"""Hands exposures over to foreign steps as models, and takes back what they return."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from heliodor.data import RAMP_MODEL, Product, Ramp
from heliodor.errors import StepError
from heliodor.products import to_model
from heliodor.products.layout import layout
from heliodor.products.models import RAMP_PLANES, ModelSource, source_of

KINDS = {"ImageModel": "rate", "CubeModel": "rateints", "GuiderCalModel": "cal"}
"""What products of slopes are called, by their class."""

OURS = {"DATE", "FILENAME", "DATAMODL", "CAL_VER", "CAL_VCS", "HISTORY", "COMMENT", ""}
"""Keywords that are written anew in every product, and lines that are none."""


class Loan:
    """An exposure in the hands of a foreign step.

    Parameters
    ----------
    data : of our run; the model shares its arrays

    Attributes
    ----------
    data : the same
    model : what the foreign step is called with
    """

    def __init__(self, data: Ramp | Product):
        self.data = data
        self.model = to_model(data)
        self._status = self._statuses(self.model)
        self._cards, _ = self._rest(self.model)

    def skipped(self, model: Any) -> bool:
        """Whether a model says of some step, for the first time, that it was left out."""
        now = self._statuses(model)
        new = {now[name] for name in now if now[name] != self._status.get(name)}
        return "SKIPPED" in new and "COMPLETE" not in new

    def same_kind(self, model: Any) -> bool:
        """Whether a model is what was lent, and not another product made of it."""
        return type(model).__name__ == type(self.model).__name__

    def take_back(self, model: Any) -> None:
        """Take arrays, keywords and everything else of a model of the same kind.

        Raises
        ------
        heliodor.errors.StepError
            Its arrays have another shape.
        """
        data = self.data
        arrays = dict(_ramp_planes(data)) if isinstance(data, Ramp) else data.planes
        for name, ours in arrays.items():
            theirs = getattr(model, name)
            if theirs is ours:
                continue
            if np.shape(theirs) != ours.shape:
                raise StepError(
                    f"{name} came back with shape {np.shape(theirs)}; it was lent with {ours.shape}"
                )
            np.copyto(ours, theirs, casting="unsafe")
        cards, data.source = self._rest(model)
        new = self._new(cards)
        if isinstance(data, Product):
            data.unit = str(new.pop("BUNIT", data.unit))
            data.tables = {}  # they are in the source
        data.keywords.update(new)

    def product(self, model: Any, kind: str) -> Product:
        """Take a product that was made of what was lent."""
        cards, source = self._rest(model)
        unit = str(cards.pop("BUNIT", None) or "")
        keywords = self.data.keywords.copy()
        keywords.update(self._new(cards))
        name, planes = type(model).__name__, _planes(model)
        return Product(kind, name, planes, keywords, unit, source, self.data.stripes)

    @staticmethod
    def _statuses(model: Any) -> dict[str, Any]:
        return dict(model.meta.cal_step.instance)

    def _new(self, cards: Mapping[str, Any]) -> dict[str, Any]:
        """Keywords that the step has set."""
        return {
            name: value
            for name, value in cards.items()
            if name not in OURS and (name not in self._cards or self._cards[name] != value)
        }

    @staticmethod
    def _rest(model: Any) -> tuple[dict[str, Any], ModelSource]:
        """Give a model's keywords, and all of it that is no array of ours."""
        data: Any = getattr(model, "data", None)
        held = RAMP_PLANES if np.ndim(data) == 4 else set(_planes(model))
        source = source_of(model, held)
        with source.open() as hdus:
            science = dict(hdus["SCI"].header) if "SCI" in hdus else {}
            return {**science, **dict(hdus[0].header)}, source


def _ramp_planes(ramp: Ramp) -> Iterator[tuple[str, np.ndarray]]:
    """Arrays of a ramp by the names that they have in its model."""
    yield "data", ramp.data
    if ramp.model == RAMP_MODEL:
        yield "groupdq", ramp.groupdq
        yield "pixeldq", ramp.pixeldq
    else:
        yield "dq", ramp.pixeldq
    if ramp.zeroframe is not None:
        yield "zeroframe", ramp.zeroframe
    known = layout(RAMP_MODEL).planes
    for extension, plane in ramp.extra.items():
        yield known[extension].name, plane


def _planes(model: Any) -> dict[str, np.ndarray]:
    """Images of a model by name, native and with memory of their own."""
    return {
        plane.name: np.array(getattr(model, plane.name), plane.dtype, order="C")
        for plane in layout(type(model).__name__).planes.values()
        if plane.dtype and model.hasattr(plane.name)
    }
