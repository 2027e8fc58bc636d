"""For tests of steps: made-up ramps and reference files, and one step run on them.

Only NumPy is imported with this module; pytest is not needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np

from heliodor.data import Product, Ramp
from heliodor.samples import Simulated, made_up_image, made_up_ramp, make_ramp, simulated

if TYPE_CHECKING:
    from heliodor.declare import StepSpec
    from heliodor.engine import Outcome, Task
    from heliodor.references.files import Reference
    from heliodor.workspace import Workspace

__all__ = [
    "Simulated", "check_pieces", "check_scratch", "conformance", "made_up_image", "made_up_ramp",
    "make_ramp", "make_reference", "run_step", "simulated",
]  # fmt: skip

THREADS = (1, 2, 8)
STRIPS = (1, 7, 64, 1_000_000)
"""Heights of pieces [rows]; the last takes arrays whole."""

ROOMS = (0, 1_000_000_000)
"""Memory for rows of a ramp on scratch [bytes]: for one row at a time, and for all of them."""

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
    exposure: Ramp | Product,
    references: Mapping[str, Given] | None = None,
    *,
    threads: int = 1,
    strip: int = 64,
    inputs: Mapping[str, Ramp | Product] | None = None,
    calls: Iterable[StepSpec] = (),
    **parameters: Any,
) -> Outcome:
    """Run one step on an exposure, in place, without a plan.

    Parameters
    ----------
    spec : the step's declaration, its class, or the function that is a step
    exposure : a ramp, or a product for a step that takes images; changed in place
    references : by type; an open `Reference`, a path, an array that becomes SCI, or a mapping of
        arrays by extension
    threads : pieces worked on at once
    strip : rows in a piece
    inputs : earlier products that it reads, by name
    calls : declarations of the steps that it calls; their references are among `references`
    **parameters : of the step

    Examples
    --------
    A step whose declaration is `SPEC` is run on arrays in two lines, as is a function ``destripe``
    that takes the place of `SPEC`:

    >>> ramp = make_ramp(data, NFRAMES=1, TGROUP=10.0)  # doctest: +SKIP
    >>> outcome = run_step(SPEC, ramp, {"gain": gain, "readnoise": noise})  # doctest: +SKIP
    """
    from heliodor.engine import execute, load
    from heliodor.services import Service

    spec = _spec(spec)
    params = load(spec.params)(**parameters)
    with _opened(exposure, references or {}) as files:
        services = {
            each.name: Service(
                each, load(each.params)(), {name: file.path for name, file in files.items()}
            )
            for each in calls
        }
        return execute(
            spec,
            exposure,
            params,
            files,
            threads=threads,
            strip=strip,
            inputs=inputs,
            services=services,
        )


def check_pieces(
    spec: Declared,
    exposure: Ramp | Product,
    references: Mapping[str, Given] | None = None,
    **parameters: Any,
) -> tuple[Ramp | Product, Outcome]:
    """Hold that a step gives the same arrays, to the byte, however the data are cut.

    It is run with each number of `THREADS` and height of `STRIPS`.

    Parameters
    ----------
    spec, exposure, references, **parameters : as for `run_step`; the exposure is not changed

    Returns
    -------
    a copy of the exposure as the step leaves it, and its outcome

    Raises
    ------
    AssertionError
        An array, a keyword, or the status is not the same; the message says which.
    """
    spec, first, expected = _spec(spec), None, {}
    with _opened(exposure, references or {}) as files:
        for threads, strip in product(THREADS, STRIPS):
            result = deepcopy(exposure)
            outcome = run_step(spec, result, files, threads=threads, strip=strip, **parameters)
            found = _everything(result, outcome)
            if first is None:
                first, expected = (result, outcome), found
            different = _different(expected, found)
            assert not different, (
                f"{spec.name} with {threads} threads and {strip} rows differs from one thread "
                f"and {STRIPS[0]} row: {', '.join(different)}"
            )
    assert first is not None
    return first


def check_scratch(
    spec: Declared,
    exposure: Ramp,
    references: Mapping[str, Given] | None = None,
    **parameters: Any,
) -> None:
    """Hold that a step gives on scratch what it gives in memory, to the byte.

    All arrays lie in files, however small, and phases share traversals of them.  The step begins
    before planes of the ramp that it does not say it reads then are there.  It is run with each
    number of `THREADS` and of `ROOMS`.

    Parameters
    ----------
    spec, exposure, references, **parameters : as for `run_step`; the exposure is not changed

    Raises
    ------
    AssertionError
        An array, a keyword, or the status is not the same; the message says which.
    """
    from heliodor import scratch
    from heliodor.engine import STRIP, Task, load
    from heliodor.together import Convoy

    spec = _spec(spec)
    with ExitStack() as stack:
        files = stack.enter_context(_opened(exposure, references or {}))
        ramp = deepcopy(exposure)
        expected = _everything(ramp, run_step(spec, ramp, files, **parameters))
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(mock.patch.object(scratch, "SMALL", 1))
        for threads, room in product(THREADS, ROOMS):
            with scratch.Scratch(folder, limit=10 << 30, threads=threads) as workspace:
                ramp = _moved(exposure, workspace)
                params = load(spec.params)(**parameters)
                task = Task(spec, ramp, params, files, threads, workspace)
                _begin_early(task, ramp)
                if task.begun:
                    Convoy([task], ramp, workspace, threads, STRIP, room).run()
                found = _everything(ramp, task.end())
            different = _different(expected, found)
            assert not different, (
                f"{spec.name} on scratch, with {threads} threads and room for {room} bytes, "
                f"differs from memory: {', '.join(different)}"
            )


def conformance(
    what: Declared | str | ModuleType,
    exposure: Ramp | Product | None = None,
    references: Mapping[str, Given] | None = None,
    *,
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
    and on scratch; it takes no more memory than it says.

    Parameters
    ----------
    what : a step: its `StepSpec`, class or function; or a plugin: its module, or its name
    exposure : what the step is run on, unchanged; a `made_up_ramp` or `made_up_image` by default
    references : by type, as for `run_step`
    may_clear : bits that the step clears on purpose
    **parameters : of the step

    Raises
    ------
    AssertionError
        Names all that does not hold.
    """
    from heliodor.conformance import check_plugin, check_step

    if isinstance(what, str | ModuleType):
        check_plugin(what)
        return
    spec = _spec(what)
    if exposure is None:
        exposure = made_up_ramp() if spec.takes == "ramp" else made_up_image()
    check_step(spec, exposure, references or {}, tuple(may_clear), parameters)


def _spec(step: Declared) -> StepSpec:
    """Give the declaration of whatever is a step."""
    from heliodor.declare import StepSpec

    if isinstance(step, StepSpec):
        return step
    from heliodor.stepfiles import declared

    return declared(step)


def _moved(ramp: Ramp, workspace: Workspace) -> Ramp:
    """Copy a ramp to where the arrays of a workspace live."""
    ramp = deepcopy(ramp)
    for name in ("data", "groupdq", "zeroframe"):
        array = getattr(ramp, name)
        if array is not None:
            copy = workspace.empty(array.shape, array.dtype)
            copy[:] = array
            setattr(ramp, name, copy)
    return ramp


def _begin_early(task: Task, ramp: Ramp) -> None:
    """Begin a step while planes that its `prepare` does not read still hold something else."""
    from heliodor.together import begin

    planes = ("data", "groupdq", "pixeldq", "zeroframe")
    unread = [
        array
        for name in planes
        if name not in task.spec.prepare_reads and (array := getattr(ramp, name)) is not None
    ]
    kept = [array.copy() for array in unread]
    for array in unread:
        array.fill(0 if array is ramp.pixeldq else 255)
    begin(task, ramp)
    for array, values in zip(unread, kept, strict=True):
        # what is flagged in PIXELDQ stays
        np.copyto(array, array | values if array is ramp.pixeldq else values)


@contextmanager
def _opened(
    exposure: Ramp | Product, references: Mapping[str, Given]
) -> Iterator[dict[str, Reference]]:
    """Open reference files for an exposure; those made here last as long as the context."""
    from heliodor.references.files import Reference

    with TemporaryDirectory() as folder, ExitStack() as stack:
        opened: dict[str, Reference] = {}
        for type, given in references.items():
            if isinstance(given, Reference):
                opened[type] = given
                continue
            if isinstance(given, str | Path):
                reference = Reference(
                    type, given, exposure.keywords, exposure.shape[-2:], exposure.stripes
                )
            else:
                extensions = given if isinstance(given, Mapping) else {"SCI": np.asarray(given)}
                reference = make_reference(folder, type, exposure, **extensions)
            stack.callback(reference.close)
            opened[type] = reference
        yield opened


def _different(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    names = {**expected, **found}
    return [name for name in names if expected.get(name) != found.get(name)]


def _everything(exposure: Ramp | Product, outcome: Outcome) -> dict[str, Any]:
    """Give all that a step can change or make, by name; arrays as bytes."""
    found: dict[str, Any] = {"status": (outcome.status, outcome.reason)}
    for name, value in exposure.keywords.changed.items():
        found[f"keyword {name}"] = repr(value)
    if isinstance(exposure, Ramp):
        arrays = {name: getattr(exposure, name) for name in ("data", "groupdq", "pixeldq")}
        arrays["zeroframe"] = exposure.zeroframe
        arrays |= exposure.extra
    else:
        arrays = dict(exposure.planes)
    for kind, made in outcome.products.items():
        arrays |= {f"{kind} {name}": plane for name, plane in made.planes.items()}
    for name, array in arrays.items():
        if array is not None:
            found[name] = (array.dtype.str, array.shape, array.tobytes())
    return found
