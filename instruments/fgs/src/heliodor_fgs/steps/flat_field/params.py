"""Parameters of flat_field."""

from __future__ import annotations

from heliodor.params import Params, parameter


class FlatFieldParams(Params):
    """Which flat, and which way."""

    user_supplied_flat: str | None = parameter(
        None, "FITS file of a flat that is used instead of the reference."
    )
    inverse: bool = parameter(False, "Multiply by the flat, to undo an earlier correction.")
