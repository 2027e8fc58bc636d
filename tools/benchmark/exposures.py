"""What is measured: named exposures, and series of growing ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cases
from heliodor.errors import HeliodorError

_TSO = {"detector": "NRCALONG", "subarray": "SUBGRISM64", "ngroups": 5}

CASES = {
    case.name: case
    for case in (
        cases.Case("small", "nircam-imaging", {"size": 256, "ngroups": 6}),
        cases.Case("nrca1_n1", "nircam-imaging", {"ngroups": 10}),
        cases.Case("nrca1_n4", "nircam-imaging", {"ngroups": 10, "nints": 4}),
        cases.Case("miri", "miri-imaging", {"readpatt": "FASTR1", "ngroups": 40, "nints": 2}),
        cases.Case(
            "nrs_irs2", "nirspec-ifu",
            {"detector": "NRS1", "readpatt": "NRSIRS2RAPID", "ngroups": 20},
        ),
        cases.Case("tso", "nircam-tsgrism", {**_TSO, "nints": 500}),
        cases.Case("long", "nircam-tsgrism", {**_TSO, "nints": 2000}),
    )
}  # fmt: skip

TITLES = {
    "small": "NIRCam, 256 x 256, 6 groups",
    "nrca1_n1": "NIRCam, 2048 x 2048, 10 groups",
    "nrca1_n4": "NIRCam, 2048 x 2048, 10 groups x 4",
    "miri": "MIRI imager, 1032 x 1024, 40 groups x 2",
    "nrs_irs2": "NIRSpec IRS2, 2048 x 3200 raw, 20 groups",
    "tso": "NIRCam grism, 2048 x 64, 5 groups x 500",
    "long": "NIRCam grism, 2048 x 64, 5 groups x 2000",
}

BOUNDED = {"long": "1.5G"}
"""Cases that are run within this much memory; the incumbent would need far more than it has."""


@dataclass(frozen=True)
class Series:
    """Exposures that differ in one size.

    Attributes
    ----------
    name : of the size
    exposures : arguments of the simulator, by size
    """

    name: str
    exposures: Mapping[int, Mapping[str, Any]]


SERIES = (
    Series("groups", {n: {"size": 1024, "ngroups": n} for n in (5, 10, 20, 40)}),
    Series("integrations", {n: {"size": 1024, "ngroups": 5, "nints": n} for n in (1, 2, 4, 8)}),
    Series("pixels", {n * n: {"size": n, "ngroups": 5} for n in (512, 1024, 1536, 2048)}),
)


def found(files: Path | None) -> dict[str, cases.Input]:
    """Read the list of files that stand for cases.

    Parameters
    ----------
    files : JSON, ``{"tso": {"exposure": FILE, "references": DIR}}``
    """
    if files is None:
        return {}
    listed = json.loads(files.read_text())
    return {
        name: cases.Input(Path(entry["exposure"]), Path(entry["references"]))
        for name, entry in listed.items()
    }


def inputs(
    names: list[str], given: Mapping[str, cases.Input], folder: Path
) -> Iterator[tuple[str, cases.Input]]:
    """Give the exposures of cases, simulated unless `given`; say which cannot be had."""
    for name in names:
        if name in given:
            yield name, given[name]
            continue
        try:
            yield name, cases.simulated(CASES[name], folder)
        except HeliodorError as error:
            print(f"{name} is left out: {error}", file=sys.stderr)


def series(one: Series, folder: Path) -> dict[int, cases.Input]:
    """Simulate the exposures of a series."""
    return {
        size: cases.simulated(cases.Case(f"{size} {one.name}", "nircam-imaging", arguments), folder)
        for size, arguments in one.exposures.items()
    }
