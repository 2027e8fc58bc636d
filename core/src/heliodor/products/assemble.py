"""Puts a product together: headers, arrays, what is carried over from the input, ASDF tree.

The result is a list of extensions that can be streamed to disk or opened as a model; no array is
copied or converted here.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from importlib.metadata import version
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.io.fits.card import Undefined
from astropy.utils.exceptions import AstropyWarning

from heliodor.data import PLAIN, RAMP_MODEL, Keywords, Product, Ramp
from heliodor.errors import OutputError, did_you_mean
from heliodor.fitsarrays import StoredArray
from heliodor.products.layout import Key, Layout, layout
from heliodor.products.stream import Copied, Encoded
from heliodor.products.tree import READ_TIMES, Tagged, array_link, put, to_bytes
from heliodor.receipt import ENTRY, Receipt
from heliodor.sources import Retabled

log = logging.getLogger(__name__)

PARITY_VERSION = "3.0.0"
"""The `jwst` version whose results ours equal; other tools branch on CAL_VER."""

CRDS_VERSION = "14.0.3"
"""The version of `crds` whose choice of references ours equals, for CRDS_VER."""


def ramp_model(ramp: Ramp) -> str:
    """Name the model of a ramp: superstripes that are not joined have one of their own."""
    return "SuperstripeRampModel" if ramp.pixeldq.ndim == 3 else ramp.model


_STRUCTURE = re.compile(
    "(|SIMPLE|XTENSION|BITPIX|NAXIS[0-9]*|EXTEND|PCOUNT|GCOUNT|GROUPS|BSCALE|BZERO|BLANK|DATAMIN"
    "|DATAMAX|EXTNAME|EXTVER|EXTLEVEL|CHECKSUM|DATASUM|HISTORY|CONTINUE|END|TFIELDS|THEAP"
    "|T(TYPE|FORM|UNIT|NULL|SCAL|ZERO|DISP|BCOL|DIM)[0-9]+)"
)
"""Keywords that describe how an array is stored; they belong to the file, not to the exposure."""

_REPLACED = ("FILETYPE",)
"""Keywords about the input that would be wrong about its products and that no schema knows."""


@dataclass(frozen=True)
class Provenance:
    """How a product came about; the same for all products of a run.

    Attributes
    ----------
    status : what became of each step, by keyword: ``{"S_JUMP": "COMPLETE"}``
    references : keyword and value by type: ``{"gain": ("R_GAIN", "crds://jwst_fgs_gain_0008.fits")}``
    context : of CRDS that references were chosen by; empty: they were not
    caveat : why the product is not for science; empty: it is
    receipt : everything else
    """

    status: Mapping[str, str] = field(default_factory=dict)
    references: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    context: str = ""
    caveat: str = ""
    receipt: Receipt | None = None

    def keywords(self) -> dict[str, str]:
        """All that goes into headers."""
        crds = {"CRDS_VER": CRDS_VERSION, "CRDS_CTX": self.context} if self.context else {}
        caveat = {"CAVEAT": self.caveat} if self.caveat else {}
        return {**crds, **caveat, **dict(self.references.values()), **self.status}


@dataclass(eq=False)
class Extension:
    """One extension of a product.

    Attributes
    ----------
    name : EXTNAME
    header : complete, as it is written
    data : its content, or None
    """

    name: str
    header: fits.Header
    data: Encoded | Copied | None = None

    @cached_property
    def text(self) -> str:
        """The header as it stands in the file."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)  # comments cut at the card's end
            return self.header.tostring()


@dataclass
class _Made:
    """A product on its way: values by header, arrays by extension, and its tree."""

    layout: Layout
    about: str
    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    extra: dict[str, list[tuple[str, Any, str]]] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)
    arrays: dict[str, Encoded] = field(default_factory=dict)
    carried: list[Extension] = field(default_factory=list)
    tree: dict[str, Any] = field(default_factory=dict)

    def set(self, hdu: str, name: str, value: Any, comment: str = "") -> None:
        """Set a keyword, in the schema's place or beside it; None takes it away."""
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, Undefined):
            value = None
        key = self.layout.index.get((hdu, name))
        if key is None:
            cards = [
                card for card in self.extra.get(hdu, []) if card[0] != name or name == "COMMENT"
            ]
            self.extra[hdu] = cards if value is None else [*cards, (name, value, comment)]
        elif value is None:
            self.values.pop((hdu, name), None)
        elif key.accepts(value):
            self.values[hdu, name] = value
        else:
            _warn_once(f"{self.about}: {_refused(key, value)}")

    def change(self, keywords: Mapping[str, Any]) -> None:
        """Set keywords wherever they belong."""
        for name, value in keywords.items():
            self.set(self.layout.home(name), name, value)


@lru_cache(maxsize=1024)
def _warn_once(message: str) -> None:
    """Warn about an exposure's keyword for the first of its products only."""
    log.warning(message)


def _refused(key: Key, value: Any) -> str:
    allowed = ", ".join(str(item) for item in key.allowed[:12]) or f"a value of type {key.type}"
    if len(key.allowed) > 12:
        allowed += f" and {len(key.allowed) - 12} more"
    return f"{key.name} = {value!r} is left out: the schema allows {allowed}"


@contextmanager
def opened_extensions(
    data: Product | Ramp, filename: str, provenance: Provenance | None
) -> Iterator[list[Extension]]:
    """Put a product or a ramp together, with its input open as long as the context lasts.

    Parameters
    ----------
    data : a ramp, or a product of any model class with one image
    filename : goes into FILENAME
    provenance : of the run

    Yields
    ------
    the primary header and every extension, ASDF last

    Raises
    ------
    heliodor.errors.OutputError
        A plane is unknown to the model, or has a wrong number of axes.
    """
    source = data.source
    if isinstance(data, Product) and data.tables:
        source = Retabled(source, data.tables)
    with source.open() if source is not None else nullcontext() as hdus:
        made = _from_ramp(data, hdus) if isinstance(data, Ramp) else _from_product(data, hdus)
        yield _finish(made, filename, provenance or Provenance(), hdus)


def _from_product(product: Product, hdus: fits.HDUList | None) -> _Made:
    made = _Made(layout(product.model), str(product.keywords.get("FILENAME", "exposure")))
    by_name = {plane.name: plane for plane in made.layout.planes.values()}
    for name, array in product.planes.items():
        if product.model == PLAIN:
            made.arrays[name.upper()] = Encoded(array, array.dtype)
            continue
        if name not in by_name:
            raise OutputError(did_you_mean(name, by_name, f"plane of {product.model}"))
        made.arrays[by_name[name].hdu] = _encoded(made.layout, by_name[name].hdu, array)
    _take_keywords(made, product.keywords)
    for hdu in ("SCI", "ERR"):
        if hdu in made.arrays and (hdu, "BUNIT") in made.layout.index:
            made.set(hdu, "BUNIT", product.unit)
    return made


def _from_ramp(ramp: Ramp, hdus: fits.HDUList | None) -> _Made:
    made = _Made(layout(ramp_model(ramp)), str(ramp.keywords.get("FILENAME", "exposure")))
    planes: dict[str, Any] = {"SCI": ramp.data}
    if "GROUPDQ" in made.layout.planes:
        planes |= {"PIXELDQ": ramp.pixeldq, "GROUPDQ": ramp.groupdq}
    else:
        planes["DQ"] = ramp.pixeldq
    planes |= ramp.extra
    if ramp.zeroframe is not None:
        planes["ZEROFRAME"] = ramp.zeroframe
    # reference output, and a zero frame that no step has touched, stay as they are
    for name in ("ZEROFRAME", "REFOUT"):
        if name not in planes and hdus is not None and name in hdus and hdus[name].data is not None:
            planes[name] = StoredArray(hdus[name])
    for name, array in planes.items():
        made.arrays[name] = _encoded(made.layout, name, array)
    if ramp.read_times is not None:
        put(made.tree, READ_TIMES, ramp.read_times.tolist())
    _take_keywords(made, ramp.keywords)
    return made


def _encoded(lay: Layout, hdu: str, array: Any) -> Encoded:
    plane = lay.planes.get(hdu)
    if plane is None:
        return Encoded(array, array.dtype)
    axes = len(array.shape)
    if (plane.ndim and axes != plane.ndim) or (plane.max_ndim and axes > plane.max_ndim):
        wanted = plane.ndim or f"at most {plane.max_ndim}"
        raise OutputError(f"{plane.name} has shape {array.shape}; {lay.model} wants {wanted} axes.")
    return Encoded(array, np.dtype(plane.dtype))


def _take_keywords(made: _Made, keywords: Keywords) -> None:
    for hdu, header in (("PRIMARY", keywords.primary), ("SCI", keywords.sci)):
        for name, value, comment in header.cards:
            if name == "HISTORY":
                made.history.append(str(value))
            elif not _STRUCTURE.fullmatch(name) and name not in _REPLACED:
                made.set(hdu, name, value, comment)
    made.change(keywords.changed)


def _finish(
    made: _Made, filename: str, provenance: Provenance, hdus: fits.HDUList | None
) -> list[Extension]:
    now = datetime.now(UTC).replace(tzinfo=None)
    made.change(
        {
            "DATE": now.isoformat(timespec="milliseconds"),
            "FILENAME": filename,
            "DATAMODL": made.layout.model,
            "CAL_VER": PARITY_VERSION,
            "CAL_VCS": "RELEASE",
            **provenance.keywords(),
        }
    )
    made.set("PRIMARY", "HELIODOR", version("heliodor"), "Heliodor version")
    if hdus is not None:
        _carry(made, hdus)

    extensions = [Extension("PRIMARY", _header(made, "PRIMARY"))]
    with_values = {hdu for hdu, _ in made.values}
    carried = {extension.name: extension for extension in made.carried}
    for hdu in [*made.layout.hdus, *made.arrays]:
        if any(extension.name == hdu for extension in extensions):
            continue
        if hdu in made.arrays:
            extensions.append(Extension(hdu, _header(made, hdu), made.arrays[hdu]))
        elif hdu in carried and hdu in made.layout.planes:
            extensions.append(carried[hdu])
        elif hdu in with_values:
            extensions.append(Extension(hdu, _header(made, hdu)))
    extensions += [one for one in made.carried if one not in extensions]

    _fill_tree(made, extensions)
    if provenance.receipt is not None:
        made.tree[ENTRY] = provenance.receipt.as_data()
    content = to_bytes(made.tree, _asdf_of(hdus), _known_paths(made.layout))
    extensions.append(_asdf_extension(content))
    return extensions


def _carry(made: _Made, hdus: fits.HDUList) -> None:
    """Choose the input's extensions that go on into this product.

    Those that belong to a ramp and not to this kind of product end here, as do images of the
    detector with axes that the product has not.
    """
    of_ramps = layout(RAMP_MODEL).planes
    shape = next((array.shape for array in made.arrays.values()), ())
    for hdu in hdus[1:]:
        name = hdu.name
        if name in ("SCI", "ASDF") or name in made.arrays or (hdu.is_image and not hdu.shape):
            continue
        if name in of_ramps:
            if name not in made.layout.planes or hdu.is_image:
                continue
        elif hdu.is_image and not _fits_in(hdu.shape, shape):
            log.info("%s of the input has shape %s and is left out", name, hdu.shape)
            continue
        made.carried.append(Extension(name, hdu.header.copy(), Copied(hdu)))
        for key in made.layout.keys:
            if key.hdu == name and key.name in hdu.header:
                made.set(name, key.name, hdu.header[key.name])


def _fits_in(image: tuple[int, ...], product: tuple[int, ...]) -> bool:
    """Whether an image can go with a product: (ny, nx) with all, (nints, ny, nx) with rateints."""
    if image[-2:] != product[-2:]:
        return True  # not a map of the detector
    leading = image[:-2]
    return leading == product[: len(leading)] and len(image) <= len(product)


def _header(made: _Made, hdu: str) -> fits.Header:
    """Write a header in the schema's order, with its section titles."""
    header = fits.Header()
    array = made.arrays.get(hdu)
    if hdu == "PRIMARY":
        header["SIMPLE"] = (True, "conforms to FITS standard")
    else:
        header["XTENSION"] = ("IMAGE", "Image extension")
    header["BITPIX"] = (array.bitpix if array else 8, "array data type")
    shape = array.shape if array else ()
    header["NAXIS"] = (len(shape), "number of array dimensions")
    for axis, length in enumerate(reversed(shape), 1):
        header[f"NAXIS{axis}"] = length
    if hdu == "PRIMARY":
        header["EXTEND"] = True
    else:
        header["PCOUNT"] = (0, "number of parameters")
        header["GCOUNT"] = (1, "number of groups")
        if array and array.zero:
            header["BSCALE"] = 1
            header["BZERO"] = array.zero
        header["EXTNAME"] = (hdu, "extension name")
    titles: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        for key in made.layout.keys:
            if key.hdu != hdu or (hdu, key.name) not in made.values:
                continue
            for place, title in key.sections:
                if place not in titles:
                    titles.add(place)
                    for text in ("", title, ""):
                        header.append(_card(" ", text), end=True)
            header.append(_card(key.name, made.values[hdu, key.name], key.comment), end=True)
        for name, value, comment in made.extra.get(hdu, []):
            header.append(_card(name, value, comment), end=True)
        if hdu == "PRIMARY":
            for entry in made.history:
                header.add_history(entry)
        else:
            header.append(("EXTVER", 1, "extension value"), end=True)
    return header


@functools.lru_cache(maxsize=4096, typed=True)
def _card(name: str, value: Any, comment: str = "") -> fits.Card:
    """Make a card; products have most of theirs in common, and a card knows its own text."""
    return fits.Card(name, value, comment)


def _fill_tree(made: _Made, extensions: list[Extension]) -> None:
    tree = made.tree
    ours = {"author": "Heliodor", "name": "heliodor", "version": version("heliodor")}
    tree["asdf_library"] = Tagged("core/software-1.0.0", ours)
    digest = hashlib.sha256()
    for extension in extensions:
        digest.update(extension.text.encode())
    tree["_fits_hash"] = digest.hexdigest()
    for (hdu, name), value in made.values.items():
        put(tree, made.layout.index[hdu, name].path, value)
    extra: dict[str, Any] = {}
    for hdu, cards in made.extra.items():
        if cards:
            put(extra, (hdu, "header"), [list(card) for card in cards])
    for extension in extensions:
        if extension.data is None:
            continue
        ver = extension.header.get("EXTVER", 1)
        link = array_link(extension.name, ver, extension.data.shape, extension.data.dtype)
        if extension.name in made.layout.planes:
            put(tree, made.layout.planes[extension.name].path, link)
        elif extension.name and ver == 1:
            put(extra, (extension.name, "data"), link)
            kept = [
                list(card) for card in extension.header.cards if not _STRUCTURE.fullmatch(card[0])
            ]
            if kept:
                put(extra, (extension.name, "header"), kept)
    if extra:
        tree["extra_fits"] = extra


def _asdf_of(hdus: fits.HDUList | None) -> bytes | None:
    if hdus is None or "ASDF" not in hdus:
        return None
    return b"".join(Copied(hdus["ASDF"]).chunks())


def _known_paths(lay: Layout) -> set[tuple[str, ...]]:
    return lay.paths() | layout(RAMP_MODEL).paths()


def _asdf_extension(content: bytes) -> Extension:
    header = fits.Header()
    for name, value, comment in (
        ("XTENSION", "BINTABLE", "binary table extension"),
        ("BITPIX", 8, "array data type"),
        ("NAXIS", 2, "number of array dimensions"),
        ("NAXIS1", len(content), "length of dimension 1"),
        ("NAXIS2", 1, "length of dimension 2"),
        ("PCOUNT", 0, "number of group parameters"),
        ("GCOUNT", 1, "number of groups"),
        ("TFIELDS", 1, "number of table fields"),
        ("TTYPE1", "ASDF_METADATA", ""),
        ("TFORM1", f"{len(content)}B", ""),
        ("EXTNAME", "ASDF", "extension name"),
    ):
        header[name] = (value, comment)
    return Extension("ASDF", header, Encoded(np.frombuffer(content, np.uint8), np.dtype("u1")))
