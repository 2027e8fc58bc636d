"""Mapping files: their text read as literals, never executed, and brought to plain data.

A mapping is two assignments, ``header = {...}`` and ``selector = ...``.  The selector of a context
(``.pmap``, ``.imap``) is a table of names; that of a reference type (``.rmap``) is a tree, here
nested lists, ``[kind, [[key, what it leads to], ...]]`` with values conditioned and rows in order.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from heliodor.errors import ReferenceError

from heliodor_crds import expressions
from heliodor_crds.settings import is_set
from heliodor_crds.values import alternatives, conditioned, weigh

MATCH, USE_AFTER, VERSION_AFTER = KINDS = "Match", "UseAfter", "VersionAfter"
"""Kinds of selectors; CRDS has others, which no rule of this observatory uses."""

NONE = ("N/A", "TEMP_N/A", "n/a", "temp_n/a")
"""What stands in place of a file where none applies."""

OMITTED = ("OMIT", "TEMP_OMIT", "omit")
"""What stands in place of a file where the type is not even asked for."""

NAME = re.compile(r"\w[\w.\- ]*")
"""A name of a file; nothing that would lead out of its folder."""

ALSO = ("META.VISIT.TSOVISIT", "META.INSTRUMENT.LAMP_STATE")
"""Names that expressions may have besides those of their own rules."""

_GENERIC = {"META.SUBARRAY.NAME": {"GENERIC": "N/A"}, "SUBARRAY": {"GENERIC": "N/A"}}
_NEEDED = {
    ".pmap": ("mapping", "name", "parkey", "observatory"),
    ".imap": ("mapping", "name", "parkey", "observatory", "instrument"),
    ".rmap": ("mapping", "name", "parkey", "observatory", "instrument", "filekind"),
}
_BROKEN = OSError, ValueError, TypeError, SyntaxError, RecursionError, LookupError, re.error


def read(path: Path, parent: str) -> dict[str, Any]:
    """Read a mapping file.

    Parameters
    ----------
    path : ``.pmap``, ``.imap`` or ``.rmap``
    parent : mapping that names it, for messages

    Returns
    -------
    plain data that JSON can keep: ``header``, ``selector``

    Raises
    ------
    heliodor.errors.ReferenceError
        It cannot be read, is not what its checksum says, or is not a mapping.
    """
    try:
        text = path.read_text("utf-8")
        header, selector = _literals(text)
        for name in _NEEDED[path.suffix]:
            if name not in header:
                raise ValueError(f"its header has no {name}")
        _check_sum(text, header)
        if path.suffix != ".rmap":
            if not isinstance(selector, dict):
                raise ValueError("its selector is no table of names")
            table = {str(key).lower(): _terminal(value) for key, value in selector.items()}
            return {"header": {"parkey": header["parkey"]}, "selector": table}
        return _rules(header, selector)
    except _BROKEN as error:
        kind = "" if isinstance(error, OSError | ValueError) else f"{type(error).__name__}: "
        named = f", named by {parent}," if parent else ""
        raise ReferenceError(
            f"{path}: this mapping{named} cannot be used: {kind}{error}"
        ) from error


def _literals(text: str) -> tuple[dict[str, Any], Any]:
    """Give header and selector of a mapping's text."""
    found: dict[str, ast.expr] = {}
    for node in ast.parse(text).body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) if name in ("header", "selector"):
                found[name] = node.value
            case ast.Assign(targets=[ast.Name(id="comment")], value=ast.Constant()):
                pass
            case _:
                raise ValueError(f"line {node.lineno} is neither header, selector nor comment")
    if len(found) != 2:
        raise ValueError("it lacks a header or a selector (truncated?)")
    header = ast.literal_eval(found["header"])
    if not isinstance(header, dict):
        raise ValueError("its header is no table")
    return header, _tree(found["selector"])


def _tree(node: ast.expr) -> Any:
    """Read a selector: ``Match({key: UseAfter({date: name})})``."""
    match node:
        case ast.Call(ast.Name(id=kind), [ast.Dict(keys=keys, values=values)], []):
            if kind not in KINDS:
                raise ValueError(f"line {node.lineno}: the selector {kind} is not known")
            rows = {
                ast.literal_eval(key): _tree(value)
                for key, value in zip(keys, values, strict=True)
                if key is not None
            }
            return [kind, list(rows.items())]
    return ast.literal_eval(node)


def _check_sum(text: str, header: Mapping[str, Any]) -> None:
    """Compare the text with the checksum in it, which is that of all lines but its own."""
    if is_set("CRDS_IGNORE_MAPPING_CHECKSUM"):
        return
    bare = "".join(line for line in text.splitlines(keepends=True) if "sha1sum" not in line)
    found = hashlib.sha1(bare.encode(), usedforsecurity=False).hexdigest()
    if "sha1sum" not in header:
        raise ValueError("it has no checksum (sha1sum)")
    if found != header["sha1sum"]:
        raise ValueError("its checksum is wrong: it was damaged, or changed by hand")


def _rules(header: Mapping[str, Any], selector: Any) -> dict[str, Any]:
    """Prepare the rules of one reference type."""
    parkeys = header["parkey"]
    switch = _lower(header.get("reffile_switch", "none")).upper()
    names = [name for keys in parkeys for name in ([keys] if isinstance(keys, str) else keys)]
    names += [] if switch == "NONE" else [switch]
    names += [*header.get("extra_keys", ()), *ALSO]
    substitutions = {**_GENERIC, **header.get("substitutions", {})}
    comments = {name: "keep_comments" for name in header.get("comment_parkeys", ())}
    relevance = {**header.get("parkey_relevance", {}), **comments}
    relevant = _lower(header.get("rmap_relevance", "always")).replace("always", "True")
    if not isinstance(selector, list):
        raise ValueError("its selector is not one of " + ", ".join(KINDS))
    return {
        "header": {
            "names": names,
            "substitutions": substitutions,
            "relevant": _expression(relevant, names),
            "omitted": _expression(_lower(header.get("rmap_omit", "False")), names),
            "keys": {name.lower(): _expression(str(t), names) for name, t in relevance.items()},
            "required": _lower(header.get("reffile_required", "none")) in ("yes", "none"),
            "merges": str(header.get("merge_overlaps", True)).upper() in ("TRUE", "1"),
        },
        "selector": _node(selector, parkeys, substitutions),
    }


def _lower(value: Any) -> str:
    """Give a value of a header as CRDS does: in small letters, unless it is in brackets."""
    text = str(value)
    return text if text.startswith("(") and text.endswith(")") else text.lower()


def _expression(text: str, names: Sequence[str]) -> str:
    """Make the names of keywords in an expression such as Python takes them; check it."""
    for name in names:
        text = text.replace(name, plain(name))
    expressions.parsed(text)
    return text


def plain(name: str) -> str:
    """Give the form in which a name stands in expressions: ``META_EXPOSURE_TYPE``."""
    return name.replace(".", "_")


def _node(tree: Any, parkeys: Sequence[Any], substitutions: Mapping[str, Any]) -> Any:
    """Bring a tree to the form in which it is asked: ``[kind, names, rows]``, or a file's name."""
    if not isinstance(tree, list):
        return _terminal(tree)
    kind, pairs = tree
    if not parkeys or isinstance(parkeys[0], str):
        raise ValueError("parkey does not fit the selectors")
    names = list(parkeys[0])
    rows = dict(pairs)
    for number, name in enumerate(names):
        _substitute(rows, number, substitutions.get(name, {}))
    done: dict[Any, Any] = {}
    for key, value in rows.items():
        formed = _key(kind, key, len(names))
        if formed in done:
            raise ValueError(f"{key} stands in it twice")
        done[formed] = _node(value, parkeys[1:], substitutions)
        if kind != MATCH and not isinstance(done[formed], str):
            raise ValueError(f"{kind} leads to another selector, which is not known here")
    return [kind, names, [[key, done[key]] for key in sorted(done)]]


def _terminal(value: Any) -> str:
    if not isinstance(value, str) or not (value in NONE or NAME.fullmatch(value)):
        raise ValueError(f"{value!r} is no name of a file")
    return value


def _substitute(rows: dict[Any, Any], number: int, values: Mapping[Any, Any]) -> None:
    """Replace values of one name in all keys; what is then the same key, the later row has."""
    for key in list(rows):
        old = key[number] if isinstance(key, tuple) else key
        if old in values:
            new = values[old]
            new = tuple(new) if isinstance(new, list) else new
            changed = (*key[:number], new, *key[number + 1 :]) if isinstance(key, tuple) else new
            rows[changed] = rows.pop(key)


def _key(kind: str, key: Any, count: int) -> Any:
    """Bring the key of a row to the form in which it is compared."""
    if kind == USE_AFTER:
        return str(key)
    if kind == VERSION_AFTER:
        return version(str(key))
    parts = key if isinstance(key, tuple) else (key,)
    if len(parts) != count:
        raise ValueError(f"the row {key} has {len(parts)} values for {count} names")
    formed = tuple(_part(part) for part in parts)
    for part in formed:
        weigh(part, "")  # one that cannot be understood is refused now
    return formed


def _part(part: Any) -> str:
    if isinstance(part, tuple | list):
        return "|".join(conditioned(value) for value in part)
    text = str(part)
    if text.startswith(("{", "(")) and text.endswith(("}", ")")):
        return text
    return "|".join(conditioned(value) for value in alternatives(text))


def version(text: str) -> tuple[int, ...]:
    """Take the number out of a version: ``0.7.0rc2`` is (0, 7, 0)."""
    numbers = []
    for part in text.split(".")[:3]:
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
        if digits != part:
            break
    if not numbers:
        raise ValueError(f"{text} is no version")
    return tuple([*numbers, 0, 0, 0][:3])
