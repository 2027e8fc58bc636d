"""Divide images of guide stars by the flat."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from heliodor.data import Product
from heliodor.references.files import Reference
from heliodor.step import References, Skipped, Step

from heliodor_fgs.steps.flat_field.kernel import blank, divide, make_ready
from heliodor_fgs.steps.flat_field.params import FlatFieldParams


class FlatField(Step[FlatFieldParams]):
    """Divide by the flat; pixels without one stay as they are and are flagged.

    One DQ plane is for all images, so that no pixel becomes NaN because of its flags.
    """

    Params = FlatFieldParams

    def prepare(self, product: Product, refs: References) -> Skipped | None:
        """Read the flat, unless it is smaller than the images."""
        given = self.params.user_supplied_flat
        if given is None:
            return self._read(refs["flat"], product)
        reference = Reference("flat", given, product.keywords, product.shape[-2:])
        product.keywords["R_FLAT"] = Path(given).name
        try:
            return self._read(reference, product)
        finally:
            reference.close()

    def _read(self, reference: Reference, product: Product) -> Skipped | None:
        stored, needed = reference.shape_of(), product.shape
        if stored[-1] < needed[-1] or stored[-2] < needed[-2]:
            return Skipped("the flat is smaller than the images")
        self.flat = reference.plane()
        self.dq = reference.dq()
        has_errors = reference.has("ERR")
        self.err = reference.plane("ERR") if has_errors else np.zeros_like(self.flat)
        make_ready(self.flat, self.dq)
        return None

    def divide(self, product: Product) -> None:
        """Change rates, errors and flags in place."""
        data, err = product.planes["data"], product.planes["err"]
        if self.params.inverse:
            data *= self.flat
        else:
            divide(data, err, self.flat, self.err)
        product.planes["dq"] |= self.dq
        blank(data, err)
