"""Reference files that are ASDF: what they say of themselves, and plain content.

Trees of values and arrays are read directly, as YAML and blocks: the `asdf` library parses its
schemas for more than a second before it reads the first file.
"""

from __future__ import annotations

import bz2
import re
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from heliodor.errors import ReferenceError

PLACES = {
    "REFTYPE": ("reftype",),
    "USEAFTER": ("useafter",),
    "INSTRUME": ("instrument", "name"),
    "DETECTOR": ("instrument", "detector"),
    "FILTER": ("instrument", "filter"),
    "PUPIL": ("instrument", "pupil"),
    "GRATING": ("instrument", "grating"),
    "BAND": ("instrument", "band"),
    "CHANNEL": ("instrument", "channel"),
    "MODULE": ("instrument", "module"),
    "CORONMSK": ("instrument", "coronagraph"),
    "EXP_TYPE": ("exposure", "type"),
    "READPATT": ("exposure", "readpatt"),
    "P_READPA": ("exposure", "p_readpatt"),
    "P_EXP_TY": ("exposure", "p_exptype"),
    "SUBARRAY": ("subarray", "name"),
    "LAMP": ("instrument", "lamp_state"),
    "OPMODE": ("instrument", "lamp_mode"),
    "TSOVISIT": ("visit", "tsovisit"),
    "VISITYPE": ("visit", "type"),
    "CROWDFLD": ("visit", "crowded_field"),
}
"""Where under ``meta`` the value of a keyword stands."""

_START = b"#ASDF"
_END = b"\n..."
_META = re.compile(rb"^meta:.*\n(?:[ \t\-].*\n|\n)*", re.MULTILINE)
_BLOCK = b"\xd3BLK"
_EXPAND: dict[bytes, Callable[[bytes], bytes]] = {
    b"\0\0\0\0": bytes,
    b"zlib": zlib.decompress,
    b"bzp2": bz2.decompress,
}
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):
    """Reads tagged entries as plain ones, and arrays from `blocks`."""

    blocks: tuple[bytes, ...] = ()


def keywords(path: Path) -> dict[str, Any]:
    """Read what a file says of itself, as FITS keywords; the rest of its tree is passed over.

    Raises
    ------
    OSError, ValueError
        It cannot be read, or is not ASDF.
    """
    with open(path, "rb") as file:
        text = b""
        while _END not in text and (more := file.read(1 << 16)):
            text += more
            if not text.startswith(_START):
                raise ValueError("not an ASDF file")
    found = _META.search(text.partition(_END)[0] + b"\n")
    try:
        meta = _load(found.group(), ()).get("meta") if found else None
    except (yaml.YAMLError, ReferenceError) as error:
        raise ValueError(f"its meta cannot be read: {error}") from error
    known = {name: _at(meta, place) for name, place in PLACES.items()}
    return {name: value for name, value in known.items() if value is not None}


def content(path: Path) -> dict[str, Any]:
    """Read the whole tree: plain values, and arrays, native; tags of other types are ignored.

    Raises
    ------
    heliodor.errors.ReferenceError
        It cannot be read, or has arrays of records or in a rare compression.
    """
    try:
        text, end, rest = path.read_bytes().partition(_END)
        if not text.startswith(_START):
            raise ValueError("it does not begin as one")
        if not end:
            raise ValueError("it ends before its tree does (truncated?)")
        return dict(_load(text, tuple(_blocks(rest))))
    except (OSError, ValueError, TypeError, struct.error, yaml.YAMLError, zlib.error) as error:
        raise ReferenceError(f"{path}: not a readable ASDF file: {error}") from error
    except ReferenceError as error:
        raise ReferenceError(f"{path}: {error}") from None


def _load(text: bytes, blocks: tuple[bytes, ...]) -> Any:
    loader = _Loader(text + _END + b"\n")
    loader.blocks = blocks
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def _blocks(rest: bytes) -> Iterator[bytes]:
    """Give the content of the binary blocks that follow a tree."""
    place = rest.find(_BLOCK)
    while place >= 0 and rest[place : place + 4] == _BLOCK:
        (length,) = struct.unpack_from(">H", rest, place + 4)
        _, compression, allocated, used = struct.unpack_from(">I4sQQ", rest, place + 6)
        start = place + 6 + length
        if compression not in _EXPAND:
            raise ReferenceError(f"compression {compression.decode()} is not there yet")
        yield _EXPAND[compression](rest[start : start + used])
        place = start + allocated


def _array(loader: Any, tag: str, node: yaml.Node) -> np.ndarray:
    """Make an array of its values, or of a block."""
    if isinstance(node, yaml.SequenceNode):
        return np.array(loader.construct_sequence(node, deep=True))
    entry = loader.construct_mapping(node, deep=True)
    if "mask" in entry:
        raise ReferenceError("masked arrays are not read yet")
    if "data" in entry:
        return _written(entry["data"], entry.get("datatype"))
    if entry["source"] not in range(len(loader.blocks)):
        raise ReferenceError(f"there is no block {entry['source']}")
    stored = _dtype(entry["datatype"], entry["byteorder"])
    strides = entry.get("strides") or _strides(entry["shape"], stored.itemsize)
    block, offset = loader.blocks[entry["source"]], entry.get("offset", 0)
    values = np.ndarray(entry["shape"], stored, block, offset, strides)
    return values.astype(stored.newbyteorder("="))


def _written(data: list[Any], datatype: Any) -> np.ndarray:
    """Make an array of values that stand in the tree."""
    if isinstance(datatype, list) and isinstance(datatype[0], Mapping):
        return np.array([tuple(row) for row in data], _dtype(datatype, "little"))
    return np.array(data, None if datatype is None else _dtype(datatype, "little"))


def _dtype(datatype: Any, byteorder: str) -> np.dtype:
    """Give the type of stored values: numbers, text (``[ascii, 8]``), or records of these."""
    if isinstance(datatype, str):
        return np.dtype("?" if datatype == "bool8" else datatype).newbyteorder(
            "<" if byteorder == "little" else ">"
        )
    if not isinstance(datatype[0], Mapping):
        kind, length = datatype
        return np.dtype(
            f"{'S' if kind == 'ascii' else '<U' if byteorder == 'little' else '>U'}{length}"
        )
    columns: list[Any] = [
        (
            column["name"],
            _dtype(column["datatype"], column.get("byteorder", byteorder)),
            tuple(column.get("shape", ())),
        )
        for column in datatype
    ]
    return np.dtype(columns)


def _strides(shape: list[int], itemsize: int) -> tuple[int, ...]:
    steps = [itemsize]
    for length in reversed(shape[1:]):
        steps.append(steps[-1] * length)
    return tuple(reversed(steps))


def _plain(loader: Any, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_Loader.add_multi_constructor("tag:stsci.edu:asdf/core/ndarray-", _array)
_Loader.add_multi_constructor("", _plain)


def _at(tree: Any, place: tuple[str, ...]) -> Any:
    for name in place:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
    return tree
