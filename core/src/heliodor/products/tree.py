"""The ASDF tree inside a FITS file: plain YAML whose arrays are links to extensions.

The tree of a product holds no binary blocks and no types but ASDF's own, so it is written as YAML
directly.  What an input's tree holds beyond keywords and arrays is carried over as it stands, tags
and all, without being understood.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml

log = logging.getLogger(__name__)

TAGS = "tag:stsci.edu:asdf/"
RESERVED = {"asdf_library", "history", "_fits_hash", "extra_fits", "heliodor"}
"""Top-level entries that are made anew in every file."""

READ_TIMES = ("meta", "exposure", "read_times")
"""Where in a tree the times of unevenly spaced groups stand."""

_PREFIX = b"#ASDF 1.0.0\n#ASDF_STANDARD 1.6.0\n"
_END = b"\n...\n"
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class Tagged(dict):
    """A mapping with an ASDF tag (``core/ndarray-1.1.0``)."""

    def __init__(self, tag: str, items: Mapping[str, Any]):
        super().__init__(items)
        self.tag = tag


class _Dumper(_BaseDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_tagged(dumper: Any, data: Tagged) -> yaml.MappingNode:
    return dumper.represent_mapping(TAGS + data.tag, dict(data))


_Dumper.add_representer(Tagged, _represent_tagged)


def array_link(hdu: str, version: int, shape: tuple[int, ...], dtype: np.dtype) -> Tagged:
    """Make the tree's entry for the array of an extension."""
    return Tagged(
        "core/ndarray-1.1.0",
        {
            "source": f"fits:{hdu},{version}",
            "datatype": _datatype(dtype),
            "byteorder": "big",
            "shape": list(shape),
        },
    )


def _datatype(dtype: np.dtype) -> Any:
    if dtype.names is None:
        return ["ascii", dtype.itemsize] if dtype.kind == "S" else dtype.name
    fields = []
    for name in dtype.names:
        field = dtype[name]
        entry = {"name": name, "datatype": _datatype(field.base), "byteorder": "big"}
        if field.shape:
            entry["shape"] = list(field.shape)
        fields.append(entry)
    return fields


def put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    """Set an entry of a nested tree, making what lies between."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value


def to_bytes(
    tree: Mapping[str, Any], carried: bytes | None = None, known: set[tuple[str, ...]] | None = None
) -> bytes:
    """Write a tree.

    Parameters
    ----------
    tree : plain values and `Tagged` mappings
    carried : tree of the input; what is not in `known` is taken over
    known : paths that are this product's own business, present in `tree` or not

    Returns
    -------
    content of an ASDF extension
    """
    dumper = _Dumper("")
    root = dumper.represent_data(Tagged("core/asdf-1.1.0", tree))
    if carried is not None:
        other = _compose(carried)
        if isinstance(other, yaml.MappingNode):
            _graft(root, other, known or set(), ())
    text = yaml.serialize(
        root,
        Dumper=_Dumper,
        encoding="utf-8",
        version=(1, 1),
        tags={"!": TAGS},
        explicit_start=True,
        explicit_end=True,
        width=100,
    )
    return _PREFIX + text


def read_entry(content: bytes, *path: str) -> Any:
    """Read one entry of a tree, which must hold plain values; None if there is none.

    Parameters
    ----------
    content : of an ASDF extension
    path : names, from the top
    """
    node = _compose(content)
    for name in path:
        entries = node.value if isinstance(node, yaml.MappingNode) else ()
        node = next((value for key, value in entries if key.value == name), None)
    return None if node is None else _Loader("").construct_document(node)


def _compose(content: bytes) -> yaml.Node | None:
    text = content.partition(_END)[0]
    try:
        return yaml.compose(text + _END, Loader=_Loader)
    except yaml.YAMLError as error:
        log.warning("the ASDF extension of the input cannot be read and is left out: %s", error)
        return None


def _graft(
    own: yaml.MappingNode,
    other: yaml.MappingNode,
    known: set[tuple[str, ...]],
    path: tuple[str, ...],
) -> None:
    """Add to `own` what only `other` has."""
    mine = {key.value: value for key, value in own.value}
    for key, value in other.value:
        place = (*path, key.value)
        if place in known or (not path and key.value in RESERVED):
            continue
        here = mine.get(key.value)
        if here is None and any(known_path[: len(place)] == place for known_path in known):
            here = yaml.MappingNode(value.tag, [])
            if isinstance(value, yaml.MappingNode):
                _graft(here, value, known, place)
            if here.value:
                own.value.append((key, here))
        elif here is None:
            if _has_blocks(value):
                log.info("%s of the input's tree holds an array and is left out", ".".join(place))
            else:
                own.value.append((key, value))
        elif isinstance(here, yaml.MappingNode) and isinstance(value, yaml.MappingNode):
            _graft(here, value, known, place)


def _has_blocks(node: yaml.Node) -> bool:
    """Whether some array in it is stored elsewhere: in a binary block or an extension."""
    if isinstance(node, yaml.MappingNode):
        names = {key.value for key, _ in node.value}
        if "/ndarray-" in node.tag and "source" in names:
            return True
        return any(_has_blocks(value) for _, value in node.value)
    if isinstance(node, yaml.SequenceNode):
        return any(_has_blocks(value) for value in node.value)
    return False
