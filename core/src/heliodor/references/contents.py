"""What is in a reference file, held against what files of its type must hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from heliodor.bits import PIXEL
from heliodor.fitsarrays import StoredArray

if TYPE_CHECKING:
    from astropy.io import fits

    from heliodor.declare import Part, ReferenceType

BLOCK = 2880
"""Bytes that FITS files are made of."""


@dataclass(frozen=True)
class Finding:
    """Something about a file, in words.

    Attributes
    ----------
    what : it is
    note : the file can be used all the same
    """

    what: str
    note: bool = False

    @property
    def refused(self) -> bool:
        """Whether it makes the file unusable."""
        return not self.note

    def __str__(self) -> str:
        return self.what


@dataclass(frozen=True)
class Window:
    """Size of arrays that are of the detector; 0: not known.

    Attributes
    ----------
    nx, ny : in pixels
    whence : that is known
    """

    nx: int = 0
    ny: int = 0
    whence: str = ""


# ------------------------------------------------------------------ FITS


def torn(path: Path, hdus: fits.HDUList, warned: list[str]) -> list[Finding]:
    """Say if the file ends before its data do, or if parts of it cannot be made out."""
    size = path.stat().st_size
    found = [
        Finding(f"{_name(hdu)} ends at byte {_end(hdu):,}, and the file at {size:,}: truncated")
        for hdu in hdus
        if _end(hdu) > size
    ]
    if found:
        return found
    end = max(_end(hdu) for hdu in hdus)
    if size > -(-end // BLOCK) * BLOCK:
        return [Finding(f"what follows byte {end:,} cannot be made out: a torn header?")]
    return [Finding(text) for text in dict.fromkeys(warned) if "truncated" in text.lower()]


def held(hdus: fits.HDUList) -> Iterator[str]:
    """Name the extensions with their shapes: ``SCI 64 x 64``, ``DQ_DEF 5 rows``."""
    for hdu in hdus[1:]:
        header = hdu.header
        if _is_table(hdu):
            rows = header.get("NAXIS2", 0)
            yield f"{_name(hdu)} {rows} {'row' if rows == 1 else 'rows'}"
        else:
            yield f"{_name(hdu)} {' x '.join(map(str, _shape(hdu))) or 'nothing'}"


def of_fits(hdus: fits.HDUList, kind: ReferenceType | None, window: Window) -> Iterator[Finding]:
    """Look at what a FITS file holds.

    Parameters
    ----------
    hdus : of the file, opened without scaling
    kind : what it must hold; None: not known
    window : size of its arrays
    """
    detector = {"x": (window.nx, window.whence), "y": (window.ny, window.whence)}
    lengths: dict[int, dict[str, tuple[int, str]]] = {}  # of each version of the extensions
    flagged = _flagged(hdus)
    for part in kind.parts if kind else ():
        meant = [hdu for hdu in hdus[1:] if hdu.name in part.name.split("|")]
        if not meant and not part.optional:
            names = ", ".join(map(_name, hdus[1:])) or "nothing"
            yield Finding(f"there is no extension {_either(part.name)}; it has {names}")
        for hdu in meant:
            if part.columns:
                yield from _table(hdu, part)
            elif part.axes:
                yield from _image(hdu, part, lengths.setdefault(hdu.ver, {**detector}), flagged)
    if "DQ_DEF" in hdus or flagged is not None:
        yield from _definitions(hdus)


def _image(
    hdu: Any, part: Part, lengths: dict[str, tuple[int, str]], flagged: np.ndarray | None
) -> Iterator[Finding]:
    name, shape = _name(hdu), _shape(hdu)
    if _is_table(hdu):
        yield Finding(f"{name} is a table; it must be an array")
        return
    if not shape:
        yield Finding(f"{name} holds no data")
        return
    wrong = list(_shaped(name, shape, part.axes, lengths))
    yield from wrong
    unit = str(hdu.header.get("BUNIT", "")).strip()
    if part.units and unit and unit.upper() not in part.units:
        yield Finding(f"{name} is in {unit}; it must be in {' or '.join(part.units)}")
    elif part.units and not unit:
        yield Finding(f"{name} has no BUNIT: it is taken to be in {part.units[0]}", note=True)
    if name.startswith("DQ") and hdu.header["BITPIX"] < 0:
        yield Finding(f"{name} holds fractions; flags are whole numbers")
    elif not wrong:
        yield from _missing(hdu, part, flagged)


def _shaped(
    name: str, shape: tuple[int, ...], axes: str, lengths: dict[str, tuple[int, str]]
) -> Iterator[Finding]:
    """Say if an array has not the axes it must have; what lengths are new is remembered."""
    said = " x ".join(map(str, shape))
    letters = letters_of(axes, len(shape))
    if letters is None:
        wanted = " or ".join(sorted({str(len(each)) for each in axes.split("|")}))
        yield Finding(f"{name} is {said}: it has {len(shape)} axes and must have {wanted}")
        return
    for letter, length in zip(letters, shape, strict=True):
        wanted_length, whence = lengths.setdefault(letter, (length, name))
        if not wanted_length:
            lengths[letter] = (length, name)
        elif length != wanted_length:
            yield Finding(f"{name} is {said}: {letter} must be {wanted_length}, as {whence} says")


def letters_of(axes: str, number: int) -> str | None:
    """Give the axes of an array that has this number of them."""
    return next((letters for letters in axes.split("|") if len(letters) == number), None)


def _missing(hdu: Any, part: Part, flagged: np.ndarray | None) -> Iterator[Finding]:
    """Count values that are not numbers."""
    if hdu.header["BITPIX"] > 0:
        return
    stored = StoredArray(hdu)
    total = unsaid = 0
    for place in np.ndindex(stored.shape[:-2]):
        missing = np.isnan(stored.read((*place, ...)))
        total += int(missing.sum())
        if flagged is not None and flagged.shape == missing.shape:
            missing &= ~flagged
        unsaid += int(missing.sum())
    name, size = _name(hdu), math.prod(stored.shape)
    counted = f"{total:,} of {size:,} values of {name} are NaN"
    if total == size:
        yield Finding(f"all values of {name} are NaN")
    elif total and part.nan == "marks":
        too_many = total > size / 2
        yield Finding(counted + (": too many" if too_many else ": bad pixels"), note=not too_many)
    elif total and (part.nan == "never" or unsaid):
        said = (
            f", {unsaid:,} of them in pixels that DQ does not flag" if flagged is not None else ""
        )
        yield Finding(counted + said)


def _table(hdu: Any, part: Part) -> Iterator[Finding]:
    name = _name(hdu)
    if not _is_table(hdu):
        yield Finding(f"{name} is an array; it must be a table")
        return
    columns = {column.name.lower(): column.name for column in hdu.columns}
    missing = [each for each in part.columns if not {*each.split("|")} & {*columns}]
    if missing:
        has = ", ".join(columns)
        yield Finding(f"{name} lacks the column {', '.join(map(_either, missing))}; it has {has}")
    if not len(hdu.data):
        yield Finding(f"{name} has no rows")
        return
    for column in columns.values():
        values = np.asarray(hdu.data[column])
        if values.dtype.kind == "f" and part.nan != "marks" and np.isnan(values).any():
            yield Finding(
                f"{np.count_nonzero(np.isnan(values)):,} of {values.size:,} values of the column "
                f"{column.lower()} of {name} are NaN"
            )


def _flagged(hdus: fits.HDUList) -> np.ndarray | None:
    """Give the pixels of which DQ says something, (ny, nx) bool, or None."""
    if "DQ" not in hdus or _is_table(hdus["DQ"]) or hdus["DQ"].header["BITPIX"] < 0:
        return None
    if len(_shape(hdus["DQ"])) < 2:
        return None
    stored = StoredArray(hdus["DQ"])
    first = stored.read((*(0,) * (len(stored.shape) - 2), ...), np.uint32)
    return np.asarray(first != 0)


def _definitions(hdus: fits.HDUList) -> Iterator[Finding]:
    """Hold DQ against the table of its bits, DQ_DEF."""
    flags = "DQ" in hdus and not _is_table(hdus["DQ"]) and bool(_shape(hdus["DQ"]))
    used = 0
    if flags and hdus["DQ"].header["BITPIX"] > 0:
        stored = StoredArray(hdus["DQ"])
        for place in np.ndindex(stored.shape[:-2]):
            used |= int(np.bitwise_or.reduce(stored.read((*place, ...), np.uint32), axis=None))
    if "DQ_DEF" not in hdus:
        if used:
            yield Finding("there is no DQ_DEF: the bits of DQ are the pipeline's own", note=True)
        return
    hdu = hdus["DQ_DEF"]
    columns = {c.name.upper() for c in hdu.columns} if _is_table(hdu) else set()
    if lacking := {"BIT", "VALUE", "NAME"} - columns:
        yield Finding(f"DQ_DEF lacks the column {', '.join(sorted(lacking))}")
        return
    try:
        rows = [(int(r["BIT"]), int(r["VALUE"]), str(r["NAME"]).strip()) for r in hdu.data]
    except (TypeError, ValueError) as error:
        yield Finding(f"DQ_DEF cannot be read: {error}")
        return
    for bit, value, name in rows:
        if not 0 <= bit < 32 or value != 1 << bit:
            yield Finding(
                f"DQ_DEF: {name or 'a flag'} is bit {bit}, which is not the value {value}"
            )
        if not name:
            yield Finding(f"DQ_DEF: bit {bit} has no name")
    for what, values in (("bit", [str(r[0]) for r in rows]), ("name", [r[2] for r in rows])):
        for twice in sorted({value for value in values if values.count(value) > 1}):
            yield Finding(f"DQ_DEF has the {what} {twice} more than once")
    if used and not rows:
        yield Finding("DQ_DEF has no rows, and DQ has flags")
        return
    if unknown := sorted({name for _, _, name in rows if name and name not in PIXEL}):
        yield Finding(f"flags that no pipeline knows are left out: {', '.join(unknown)}", note=True)
    if rest := used & ~sum({value for _, value, _ in rows}):
        yield Finding(f"bits of DQ that DQ_DEF does not define are left out: {rest:#x}", note=True)


def _is_table(hdu: Any) -> bool:
    return hdu.header.get("XTENSION", "").strip() in ("BINTABLE", "TABLE")


def _shape(hdu: Any) -> tuple[int, ...]:
    header = hdu.header
    return tuple(header[f"NAXIS{axis}"] for axis in range(header.get("NAXIS", 0), 0, -1))


def _name(hdu: Any) -> str:
    return str(hdu.name or "an extension without a name")


def _end(hdu: Any) -> int:
    """Where the data of an extension end, without what fills up the block."""
    about = hdu.fileinfo()
    header = hdu.header
    number = math.prod(_shape(hdu)) if _shape(hdu) else 0
    size = abs(header["BITPIX"]) // 8 * (header.get("PCOUNT", 0) + number)
    return int(about["datLoc"]) + size * header.get("GCOUNT", 1)


def _either(names: str) -> str:
    return " or ".join(names.split("|"))


# ------------------------------------------------------------------ ASDF


def entries(tree: Mapping[str, Any]) -> Iterator[str]:
    """Name the entries of a tree, with how much is in them."""
    for name, entry in _content(tree):
        length = "" if isinstance(entry, Mapping) else _length(entry)
        yield f"{name} {length}".strip()


def _content(tree: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give the entries that are not about the file."""
    about = ("meta", "asdf_library", "history")
    return ((name, entry) for name, entry in tree.items() if name not in about)


def of_tree(
    tree: Mapping[str, Any], kind: ReferenceType | None, window: Window
) -> Iterator[Finding]:
    """Look at what an ASDF file holds.

    Parameters
    ----------
    tree : of the file
    kind : what it must hold; None: not known
    window : size of its arrays
    """
    lengths = {"x": (window.nx, window.whence), "y": (window.ny, window.whence)}
    for part in kind.parts if kind else ():
        name = next((name for name in part.name.split("|") if name in tree), None)
        if name is None or tree[name] is None:
            if not part.optional:
                has = ", ".join(entries(tree)) or "nothing"
                yield Finding(f"there is no entry {_either(part.name)}; it has {has}")
            continue
        entry = tree[name]
        if part.axes:
            if not isinstance(entry, list | np.ndarray):
                yield Finding(f"{name} must be a list or an array")
                continue
            shape = entry.shape if isinstance(entry, np.ndarray) else (len(entry),)
            yield from _shaped(name, shape, part.axes, lengths)
        elif isinstance(entry, dict | list | str) and not entry:
            yield Finding(f"{name} is empty")
    marks = {part.name for part in kind.parts if part.nan == "marks"} if kind else set()
    for name, entry in _content(tree):
        if kind and name not in marks and (count := _nans(entry)):
            yield Finding(f"{count:,} numbers of {name} are NaN")


def _nans(entry: Any) -> int:
    """Count the numbers in an entry of a tree that are NaN."""
    if isinstance(entry, np.ndarray):
        if entry.dtype.names:
            return sum(_nans(entry[name]) for name in entry.dtype.names)
        return int(np.isnan(entry).sum()) if entry.dtype.kind in "fc" else 0
    if isinstance(entry, Mapping):
        # what a tabulated function gives outside its range may be NaN
        return sum(_nans(value) for name, value in entry.items() if name != "fill_value")
    if isinstance(entry, list):
        return sum(map(_nans, entry))
    return int(isinstance(entry, float) and math.isnan(entry))


def _length(entry: Any) -> str:
    if isinstance(entry, np.ndarray):
        return " x ".join(map(str, entry.shape))
    return f"{len(entry)} of them" if isinstance(entry, list) else ""
