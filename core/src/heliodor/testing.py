"""For tests of steps: made-up ramps and reference files, and one step run on them.

Only NumPy is imported with this module; pytest is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from heliodor.data import Product, Ramp
from heliodor.samples import Simulated, made_up_image, made_up_ramp, make_ramp, simulated

if TYPE_CHECKING:
    from heliodor.declare import StepSpec
    from heliodor.engine import Outcome
    from heliodor.references.files import Reference
    from heliodor.trial import Exposures, Inputs

__all__ = [
    "Simulated", "check_pieces", "check_scratch", "conformance", "made_up_image", "made_up_ramp",
    "make_ramp", "make_reference", "run_step", "simulated",
]  # fmt: skip

Declared = Any
"""A step: its `StepSpec`, or a class or function of a file."""

Given = Any
"""A reference file: open, a path, the array of its SCI extension, or arrays by extension."""


def make_reference(
    folder: str | Path,
    type: str,
    exposure: Ramp | Product,
    header: Mapping[str, Any] | Iterable[tuple[str, Any]] = (),
    dq_def: Iterable[str] = (),
    **extensions: np.ndarray,
) -> Reference:
    """Write a reference file, and open it as an exposure sees it.

    Parameters
    ----------
    folder : where it is written, as ``TYPE.fits``; what was there is replaced
    type : reference type (``gain``)
    exposure : its keywords and shape say what part is read
    header : keywords of the primary header
    dq_def : names of the bits of DQ from the lowest on, for a table DQ_DEF
    **extensions : arrays by name; a structured array becomes a table
    """
    from astropy.io import fits

    from heliodor.references.files import Reference

    if names := tuple(dq_def):
        rows = [(bit, 1 << bit, name, "") for bit, name in enumerate(names)]
        columns = [("BIT", "i4"), ("VALUE", "i4"), ("NAME", "S40"), ("DESCRIPTION", "S8")]
        extensions = {**extensions, "DQ_DEF": np.array(rows, columns)}
    primary = fits.PrimaryHDU()
    primary.header.update(dict(header))
    hdus = [
        (fits.BinTableHDU if array.dtype.names else fits.ImageHDU)(array, name=name)
        for name, array in extensions.items()
    ]
    path = Path(folder) / f"{type}.fits"
    fits.HDUList([primary, *hdus]).writeto(path, overwrite=True)
    return Reference(type, path, exposure.keywords, exposure.shape[-2:], exposure.stripes)


def run_step(
    spec: Declared,
    exposure: Exposures,
    references: Mapping[str, Given] | None = None,
    *,
    threads: int = 1,
    strip: int = 64,
    inputs: Inputs | None = None,
    calls: Iterable[StepSpec] = (),
    **parameters: Any,
) -> Outcome:
    """Run one step on an exposure, in place, without a plan; one that wraps, around nothing.

    Parameters
    ----------
    spec : the step's declaration, its class, or the function that is a step
    exposure : a ramp, or a product for a step that takes images; changed in place.  Several of them
        for a step that looks at several: products of the second are ``exposure_2/NAME``
    references : by type; an open `Reference`, a path, an array that becomes SCI, or a mapping of
        arrays by extension
    threads : pieces worked on at once
    strip : rows in a piece
    inputs : earlier products that it reads, by name; for several exposures, one mapping each
    calls : declarations of the steps that it calls, if they are not installed; their references are
        among `references`
    **parameters : of the step

    Examples
    --------
    A step whose declaration is `SPEC` is run on arrays in two lines, as is a function ``destripe``
    that takes the place of `SPEC`:

    >>> ramp = make_ramp(data, NFRAMES=1, TGROUP=10.0)  # doctest: +SKIP
    >>> outcome = run_step(SPEC, ramp, {"gain": gain, "readnoise": noise})  # doctest: +SKIP
    """
    from heliodor.trial import tried

    with tried(_spec(spec), exposure, references, parameters, inputs, calls) as trial:
        return trial.run(exposure, threads, strip)


def check_pieces(
    spec: Declared,
    exposure: Exposures,
    references: Mapping[str, Given] | None = None,
    *,
    inputs: Inputs | None = None,
    calls: Iterable[StepSpec] = (),
    **parameters: Any,
) -> tuple[Any, Outcome]:
    """Hold that a step gives the same arrays, to the byte, however the data are cut.

    It is run with each number of `THREADS` and height of `STRIPS`.

    Parameters
    ----------
    spec, exposure, references, inputs, calls, **parameters : as for `run_step`; the exposure is not
        changed

    Returns
    -------
    a copy of the exposure, or of several, as the step leaves it, and its outcome

    Raises
    ------
    AssertionError
        An array, a keyword, or the status is not the same; the message says which.
    """
    from heliodor.comparing import same_in_pieces
    from heliodor.trial import tried

    with tried(_spec(spec), exposure, references, parameters, inputs, calls) as trial:
        return same_in_pieces(trial, exposure)


def check_scratch(
    spec: Declared,
    exposure: Exposures,
    references: Mapping[str, Given] | None = None,
    *,
    inputs: Inputs | None = None,
    calls: Iterable[StepSpec] = (),
    **parameters: Any,
) -> None:
    """Hold that a step gives on scratch what it gives in memory, to the byte.

    All arrays lie in files, however small, and phases share traversals of them.  The step begins
    before planes of the ramp that it does not say it reads then are there.  It is run with each
    number of `THREADS` and of `ROOMS`.

    Parameters
    ----------
    spec, exposure, references, inputs, calls, **parameters : as for `run_step`; the exposure is not
        changed

    Raises
    ------
    AssertionError
        An array, a keyword, or the status is not the same; the message says which.
    """
    from heliodor.comparing import same_on_scratch
    from heliodor.trial import tried

    with tried(_spec(spec), exposure, references, parameters, inputs, calls) as trial:
        same_on_scratch(trial, exposure)


def conformance(
    what: Declared | str | ModuleType,
    exposure: Exposures | None = None,
    references: Mapping[str, Given] | None = None,
    *,
    inputs: Inputs | None = None,
    calls: Iterable[StepSpec] = (),
    may_clear: Iterable[str] = (),
    **parameters: Any,
) -> None:
    """Hold what a plugin promises, or one step.

    *A plugin*: it can be declared, and its declaration imports nothing heavy; what it names is
    there; steps and parameters are described, and can be pickled; modes say for which exposures
    they are, and no other has the same; selectors answer with reasons; rules name products by what
    members share; pipelines can be read, and their steps are installed.

    *A step*: besides, it writes only planes that it declares; flags are not lost; arrays keep
    shape, type and unit; the result is the same, to the byte, for any pieces, any number of threads
    and on scratch, unless it declares ``in_memory``; it takes no more memory than it says, with
    the steps that it calls.  One that wraps others is wrapped around nothing.

    Parameters
    ----------
    what : a step: its `StepSpec`, class or function; or a plugin: its module, or its name
    exposure : what the step is run on, unchanged; a `made_up_ramp` or `made_up_image` by default,
        two of them for a step that looks at several
    references, inputs, calls : as for `run_step`
    may_clear : bits that the step clears on purpose
    **parameters : of the step

    Raises
    ------
    AssertionError
        Names all that does not hold.
    """
    from heliodor.conformance import check_plugin, check_step
    from heliodor.trial import tried

    if isinstance(what, str | ModuleType):
        check_plugin(what)
        return
    spec = _spec(what)
    if exposure is None:
        made_up = made_up_ramp if spec.takes == "ramp" else made_up_image
        one: Ramp | Product = made_up()
        exposure = one if spec.scope == "exposure" else [one, made_up(seed=2)]
    with tried(spec, exposure, references, parameters, inputs, calls) as trial:
        check_step(trial, exposure, tuple(may_clear))


def _spec(step: Declared) -> StepSpec:
    """Give the declaration of whatever is a step."""
    from heliodor.declare import StepSpec

    if isinstance(step, StepSpec):
        return step
    from heliodor.stepfiles import declared

    return declared(step)
