"""Where the rest of an input is found: what a product carries over besides its own planes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits


@dataclass(frozen=True)
class Retabled:
    """A source with other tables.

    Attributes
    ----------
    source : the source of everything else, or None
    tables : structured array by extension name; None takes the extension away
    """

    source: Any
    tables: Mapping[str, np.ndarray | None]

    @contextmanager
    def open(self) -> Iterator[fits.HDUList]:
        """Open it, as `heliodor.exposures.Exposure.open` does; it is closed with the context."""
        content = io.BytesIO()
        made = [
            fits.BinTableHDU(table, name=name)
            for name, table in self.tables.items()
            if table is not None
        ]
        fits.HDUList([fits.PrimaryHDU(), *made]).writeto(content)
        content.seek(0)
        rest = nullcontext([fits.PrimaryHDU()]) if self.source is None else self.source.open()
        with rest as hdus, fits.open(content) as new:
            kept = [hdu for hdu in hdus if hdu.name not in self.tables]
            yield fits.HDUList([*kept, *new[1:]])
