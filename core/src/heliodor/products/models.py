"""Products and ramps to and from `stdatamodels` models in memory, for notebooks."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.card import Undefined

from heliodor.data import Product, Ramp
from heliodor.products.assemble import Extension, Provenance, opened_extensions, ramp_model
from heliodor.products.names import product_name
from heliodor.products.stream import Encoded

RAMP_PLANES = {"data", "groupdq", "pixeldq", "dq", "zeroframe", "average_dark_current"}
"""Attributes of a model that a `Ramp` holds as arrays."""


@dataclass(frozen=True)
class ModelSource:
    """What a model holds beside its planes: headers, tables, unknown extensions, tree.

    Attributes
    ----------
    content : a small FITS file
    """

    content: bytes

    def open(self) -> fits.HDUList:
        """Open it, as `heliodor.exposures.Exposure.open` does."""
        return fits.open(io.BytesIO(self.content), do_not_scale_image_data=True)


def build(data: Product | Ramp, provenance: Provenance | None, name: str) -> Any:
    """Make a model that shares the arrays of `data`; see `heliodor.products.to_model`."""
    from stdatamodels.jwst import datamodels

    kind = ramp_model(data) if isinstance(data, Ramp) else data.model
    suffix = "ramp" if isinstance(data, Ramp) else data.kind
    name = name or product_name(str(data.keywords.get("FILENAME", "exposure.fits")), suffix)
    with opened_extensions(data, name, provenance) as extensions:
        return getattr(datamodels, kind)(fits.HDUList([_hdu(one) for one in extensions]))


def source_of(model: Any, held: set[str]) -> ModelSource:
    """Keep what a model holds beside the planes that are `held` as arrays elsewhere."""
    from stdatamodels import fits_support
    from stdatamodels.util import remove_none_from_tree

    tree = {name: value for name, value in model.instance.items() if name not in held}
    tree["extra_fits"] = {
        hdu: {**parts, "header": [card for card in parts.get("header", []) if _has_value(card)]}
        for hdu, parts in tree.get("extra_fits", {}).items()
    }
    content = io.BytesIO()
    fits_support.to_fits(remove_none_from_tree(tree), model.schema).writeto(content)
    return ModelSource(content.getvalue())


def _has_value(card: Any) -> bool:
    """Cards without a value cannot be written by stdatamodels."""
    return not isinstance(card[1], Undefined)


def _hdu(extension: Extension) -> Any:
    header, data = extension.header, extension.data
    if extension.name == "PRIMARY":
        return fits.PrimaryHDU(header=header)
    if data is None:
        return fits.ImageHDU(header=header)
    if isinstance(data, Encoded) and extension.name != "ASDF":
        array = data.array if isinstance(data.array, np.ndarray) else data.array.read()
        return fits.ImageHDU(data=array.astype(data.dtype, copy=False), header=header)
    kind = fits.ImageHDU if header["XTENSION"].strip() == "IMAGE" else fits.BinTableHDU
    # copied, because what is made of bytes cannot be written to
    return kind.fromstring(extension.text.encode("ascii") + b"".join(data.chunks())).copy()
