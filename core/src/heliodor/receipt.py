"""The receipt: what was run on what, as plain data inside every product."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from heliodor.errors import HeliodorError

FORMAT = 1
"""Version of what a receipt holds; raised when an entry changes its meaning."""

ENTRY = "heliodor"
"""Name of the receipt in the ASDF tree of a product."""


@dataclass(frozen=True)
class FileRecord:
    """A file that went in.

    Attributes
    ----------
    name : without folder
    sha256 : of its content
    size : in bytes
    """

    name: str
    sha256: str
    size: int


@dataclass(frozen=True)
class ReferenceRecord:
    """A reference file that a step used.

    Attributes
    ----------
    type : ``gain``, ``readnoise`` ...
    name : without folder
    sha256 : of its content
    origin : which selector found it, and why
    changed_by : what has changed it before it was used
    changed_sha256 : of what it was changed to
    context : version of the rules that chose it
    caveat : why results made with it are not for science
    """

    type: str
    name: str
    sha256: str
    origin: str = ""
    changed_by: str = ""
    changed_sha256: str = ""
    context: str = ""
    caveat: str = ""


@dataclass(frozen=True)
class ParameterRecord:
    """A parameter's value and where it came from; of a file, its hash as well."""

    name: str
    value: Any
    origin: str
    sha256: str = ""


@dataclass(frozen=True)
class StepRecord:
    """A step as it ran.

    Attributes
    ----------
    name : operational name
    label : what the pipeline calls it
    round : of the repetition it was in, from 1; 0: of none
    implementation : distribution that brought it, with its version
    algorithm : version of the algorithm
    status : COMPLETE, SKIPPED or FAILED
    reason : why, unless COMPLETE
    seconds : wall time
    parameters : all of them
    references : those it used
    flagged : samples that got one of its bits, by bit name
    calls : steps that it has called
    members : names of the exposures, if it has looked at several
    """

    name: str
    implementation: str
    algorithm: str
    status: str
    reason: str = ""
    seconds: float = 0.0
    parameters: tuple[ParameterRecord, ...] = ()
    references: tuple[ReferenceRecord, ...] = ()
    flagged: Mapping[str, int] = field(default_factory=dict)
    label: str = ""
    round: int = 0
    calls: tuple[StepRecord, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Receipt:
    """A whole run on one exposure.

    Attributes
    ----------
    heliodor : our version
    inputs : files
    pipeline, pipeline_sha256 : name and hash of the document that was run
    steps : in order
    plugins : version of each distribution with a plugin
    options : of the run, beyond parameters
    format : of the receipt
    """

    heliodor: str
    inputs: tuple[FileRecord, ...] = ()
    pipeline: str = ""
    pipeline_sha256: str = ""
    steps: tuple[StepRecord, ...] = ()
    plugins: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    def as_data(self) -> dict[str, Any]:
        """Give it as dicts, lists, strings and numbers, without what there is not."""
        return plain(self)


_SELDOM = {
    "sha256", "changed_by", "changed_sha256", "context", "caveat", "round", "calls", "members",
}  # fmt: skip
"""Entries of records that are left out where there is nothing to say."""

_PLAIN = {str, int, float, bool, type(None)}


def plain(value: Any) -> Any:
    """Turn a value into dicts, lists, strings, numbers, booleans and None."""
    if type(value) in _PLAIN:
        return value
    if dataclasses.is_dataclass(value):
        entries = vars(value).items()
        return {name: plain(entry) for name, entry in entries if name not in _SELDOM or entry}
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, (np.generic, np.ndarray)):
        return plain(value.tolist())
    return value if isinstance(value, (str, int, float)) else str(value)


def read(path: str | Path) -> dict[str, Any]:
    """Read the receipt of a product.

    Returns
    -------
    dict
        What `Receipt.as_data` gave; the field names are those of `Receipt`.

    Raises
    ------
    heliodor.errors.HeliodorError
        The file holds no receipt.
    """
    from astropy.io import fits

    from heliodor.products.tree import read_entry

    try:
        with fits.open(path) as hdus:
            content = bytes(hdus["ASDF"].data["ASDF_METADATA"].tobytes())
    except (OSError, KeyError, TypeError) as error:
        raise HeliodorError(f"{path}: holds no receipt: {error}.") from error
    found = read_entry(content, ENTRY)
    if not isinstance(found, dict):
        raise HeliodorError(f"{path}: holds no receipt; it was not written by Heliodor.")
    return found
