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
from typing import TYPE_CHECKING, Any

import numpy as np

from heliodor.data import Keywords, Product, Ramp

if TYPE_CHECKING:
    from heliodor.declare import StepSpec
    from heliodor.engine import Outcome
    from heliodor.references.files import Reference

THREADS = (1, 2, 8)
STRIPS = (1, 7, 64, 1_000_000)
"""Heights of pieces [rows]; the last takes arrays whole."""

Given = Any
"""A reference file: open, a path, the array of its SCI extension, or arrays by extension."""


def make_ramp(
    data: Any,
    groupdq: Any = None,
    zeroframe: Any = None,
    pixeldq: Any = None,
    **keywords: Any,
) -> Ramp:
    """Make a ramp of copies of arrays.

    Parameters
    ----------
    data : (nints, ngroups, ny, nx) [DN]; becomes float32, as `zeroframe` does
    groupdq : of the same shape; becomes uint8; zero unless given
    zeroframe : (nints, ny, nx) [DN] or None
    pixeldq : (ny, nx); becomes uint32; zero unless given
    **keywords : of the header; the array begins at the corner of the detector unless SUBSTRT1 and
        SUBSTRT2 say otherwise

    Examples
    --------
    >>> ramp = make_ramp(np.zeros((2, 5, 4, 8)), TGROUP=10.0)
    >>> ramp.shape, ramp.keywords["TGROUP"]
    ((2, 5, 4, 8), 10.0)
    """
    data = np.array(data, np.float32)
    return Ramp(
        data=data,
        groupdq=np.zeros(data.shape, np.uint8) if groupdq is None else np.array(groupdq, np.uint8),
        pixeldq=(
            np.zeros(data.shape[-2:], np.uint32)
            if pixeldq is None
            else np.array(pixeldq, np.uint32)
        ),
        keywords=Keywords({"SUBSTRT1": 1, "SUBSTRT2": 1, **keywords}),
        zeroframe=None if zeroframe is None else np.array(zeroframe, np.float32),
    )


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
    return Reference(type, path, exposure.keywords, exposure.shape[-2:])


def run_step(
    spec: StepSpec,
    exposure: Ramp | Product,
    references: Mapping[str, Given] | None = None,
    *,
    threads: int = 1,
    strip: int = 64,
    **parameters: Any,
) -> Outcome:
    """Run one step on an exposure, in place, without a plan.

    Parameters
    ----------
    spec : the step's declaration
    exposure : a ramp, or a product for a step that takes images; changed in place
    references : by type; an open `Reference`, a path, an array that becomes SCI, or a mapping of
        arrays by extension
    threads : pieces worked on at once
    strip : rows in a piece
    **parameters : of the step

    Examples
    --------
    A step whose declaration is `SPEC` is run on arrays in two lines:

    >>> ramp = make_ramp(data, NFRAMES=1, TGROUP=10.0)  # doctest: +SKIP
    >>> outcome = run_step(SPEC, ramp, {"gain": gain, "readnoise": noise})  # doctest: +SKIP
    """
    from heliodor.engine import execute, load

    params = load(spec.params)(**parameters)
    with _opened(exposure, references or {}) as files:
        return execute(spec, exposure, params, files, threads=threads, strip=strip)


def check_pieces(
    spec: StepSpec,
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
    first, expected = None, {}
    with _opened(exposure, references or {}) as files:
        for threads, strip in product(THREADS, STRIPS):
            result = deepcopy(exposure)
            outcome = run_step(spec, result, files, threads=threads, strip=strip, **parameters)
            found = _everything(result, outcome)
            if first is None:
                first, expected = (result, outcome), found
            names = {**expected, **found}
            different = [name for name in names if expected.get(name) != found.get(name)]
            assert not different, (
                f"{spec.name} with {threads} threads and {strip} rows differs from one thread "
                f"and {STRIPS[0]} row: {', '.join(different)}"
            )
    assert first is not None
    return first


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
                reference = Reference(type, given, exposure.keywords, exposure.shape[-2:])
            else:
                extensions = given if isinstance(given, Mapping) else {"SCI": np.asarray(given)}
                reference = make_reference(folder, type, exposure, **extensions)
            stack.callback(reference.close)
            opened[type] = reference
        yield opened


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
