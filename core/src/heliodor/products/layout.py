"""Which keyword and which array of a product belongs where, compiled from stdatamodels' schemas.

Building a `stdatamodels` model costs more than a second in every process, nearly all of it spent
on parsing schemas.  What a writer needs of a schema is a short table: it is made once for each
model and version of stdatamodels, and kept as JSON in the user's cache.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from heliodor import cache
from heliodor.errors import NotYetError, OutputError, did_you_mean

log = logging.getLogger(__name__)

FORMAT = 2
"""Of the table; tables of another format are made anew."""

TreePath = tuple[str, ...]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
}


@dataclass(frozen=True, slots=True)
class Key:
    """A keyword that a schema knows.

    Attributes
    ----------
    name, hdu : of the FITS keyword
    path : of its value in the ASDF tree
    comment : of its card
    sections : titles it stands under in the header, outermost first, each with its tree path
    type : ``string``, ``number``, ``integer``, ``boolean``, or empty: anything
    allowed : values it may have; empty: any
    """

    name: str
    hdu: str
    path: TreePath
    comment: str
    sections: tuple[tuple[str, str], ...]
    type: str
    allowed: tuple[Any, ...]

    def accepts(self, value: Any) -> bool:
        """Whether the schema allows `value`."""
        if self.type in _TYPES:
            right = isinstance(value, _TYPES[self.type])
            if not right or (isinstance(value, bool) and self.type != "boolean"):
                return False
        return not self.allowed or value in self.allowed


@dataclass(frozen=True, slots=True)
class Plane:
    """An array that a schema knows.

    Attributes
    ----------
    path : in the ASDF tree; one name for models of one image
    hdu : its extension
    dtype : NumPy's name of its type; empty for a table
    ndim, max_ndim : axes it has or may have; 0: any
    """

    path: TreePath
    hdu: str
    dtype: str
    ndim: int
    max_ndim: int

    @property
    def name(self) -> str:
        """What it is called in `heliodor.data.Product.planes`."""
        return ".".join(self.path)


@dataclass(frozen=True)
class Layout:
    """A model class as seen by a writer.

    Attributes
    ----------
    model : name of the class
    keys : in the order of its header
    planes : by extension
    hdus : every extension it may have, in order
    """

    model: str
    keys: tuple[Key, ...]
    planes: Mapping[str, Plane]
    hdus: tuple[str, ...]

    @cached_property
    def index(self) -> Mapping[tuple[str, str], Key]:
        """Keys by extension and keyword."""
        return {(key.hdu, key.name): key for key in self.keys}

    def home(self, keyword: str) -> str:
        """Say in which header a keyword belongs; those of nobody are in the primary one."""
        return "SCI" if ("SCI", keyword) in self.index else "PRIMARY"

    def paths(self) -> set[TreePath]:
        """Every place in the tree that comes from a keyword or an array."""
        return {key.path for key in self.keys} | {plane.path for plane in self.planes.values()}


@lru_cache(maxsize=32)
def layout(model: str) -> Layout:
    """Get the layout of a `stdatamodels.jwst.datamodels` class.

    Raises
    ------
    heliodor.errors.OutputError
        There is no such class.
    """
    file = cache_folder() / f"{model}-{version('stdatamodels')}-{FORMAT}.json"
    try:
        entries = json.loads(file.read_text())
    except (OSError, ValueError):
        entries = list(_compile(model))
        _keep(file, entries)
    return _layout(model, entries)


def cache_folder() -> Path:
    """Where the tables are kept: heliodor's folder in the user's cache."""
    return cache.folder() / "layouts"


def _keep(file: Path, entries: list[dict[str, Any]]) -> None:
    scratch = file.with_name(f"{file.name}.{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(json.dumps(entries))
        scratch.replace(file)
    except OSError as error:
        log.info("%s cannot be kept (%s): it is made anew in every process", file, error)


def _layout(model: str, entries: list[dict[str, Any]]) -> Layout:
    keys: list[Key] = []
    planes: dict[str, Plane] = {}
    hdus: dict[str, None] = {}
    for entry in entries:
        hdus[entry["hdu"]] = None
        path = tuple(entry["path"])
        if "keyword" in entry:
            sections = tuple((place, title) for place, title in entry["sections"])
            keys.append(
                Key(
                    entry["keyword"],
                    entry["hdu"],
                    path,
                    entry["comment"],
                    sections,
                    entry["type"],
                    tuple(entry["allowed"]),
                )
            )
        else:
            planes[entry["hdu"]] = Plane(
                path, entry["hdu"], entry["dtype"], entry["ndim"], entry["max_ndim"]
            )
    return Layout(model, tuple(keys), planes, tuple(hdus))


def _compile(model: str) -> Iterator[dict[str, Any]]:
    """Walk through a schema in the order in which stdatamodels writes a header."""
    from stdatamodels.jwst import datamodels

    known = [name for name in dir(datamodels) if name.endswith("Model")]
    if model not in known:
        raise OutputError(did_you_mean(model, known, "data model"))
    schema = getattr(datamodels, model)().schema
    yield from _walk(schema, (), ())


def _walk(
    node: Mapping[str, Any], path: TreePath, sections: tuple[tuple[str, str], ...]
) -> Iterator[dict[str, Any]]:
    hdu = node.get("fits_hdu", "PRIMARY").upper()  # as FITS compares names
    if "fits_keyword" in node:
        allowed = list(node.get("enum", ()))
        for choice in node.get("anyOf", ()):
            allowed += choice.get("enum", ())
        yield {
            "keyword": node["fits_keyword"],
            "hdu": hdu,
            "path": path,
            "comment": (node.get("title") or node.get("description") or "").partition("\n")[0],
            "sections": sections,
            "type": node.get("type", ""),
            "allowed": allowed,
        }
    elif "fits_hdu" in node:
        datatype = node.get("datatype", "")
        yield {
            "hdu": hdu,
            "path": path,
            "dtype": datatype if isinstance(datatype, str) else "",
            "ndim": node.get("ndim", 0),
            "max_ndim": node.get("max_ndim", 0),
        }
    elif node.get("type") == "array" and "fits_hdu" in json.dumps(node, default=str):
        raise NotYetError(
            f"Products with one image per slit ({'.'.join(path)}) are not written yet."
        )
    properties = node.get("properties", {})
    if properties and "title" in node:
        sections = (*sections, (".".join(path), node["title"]))
    for name, child in properties.items():
        yield from _walk(child, (*path, name), sections)
