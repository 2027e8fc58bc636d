"""Exposures to try a step on: of arrays, made up, and simulated with known truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from heliodor.data import Keywords, Product, Ramp


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
    data = _copy(data, np.float32)
    return Ramp(
        data=data,
        groupdq=_copy(np.zeros(data.shape) if groupdq is None else groupdq, np.uint8),
        pixeldq=_copy(np.zeros(data.shape[-2:]) if pixeldq is None else pixeldq, np.uint32),
        keywords=Keywords({"SUBSTRT1": 1, "SUBSTRT2": 1, **keywords}),
        zeroframe=None if zeroframe is None else _copy(zeroframe, np.float32),
    )


def made_up_ramp(shape: tuple[int, int, int, int] = (2, 5, 130, 96), seed: int = 1) -> Ramp:
    """Make a ramp with noise, slopes, cosmic rays, saturated groups and bad pixels.

    Parameters
    ----------
    shape : (nints, ngroups, ny, nx)
    seed : another number, another ramp
    """
    from heliodor.bits import DO_NOT_USE, JUMP_DET, SATURATED

    rng = np.random.default_rng(seed)
    ngroups = shape[1]
    slope = rng.uniform(0, 60, shape[-2:]) + 2000 * (rng.random(shape[-2:]) > 0.99)
    number = np.arange(1, ngroups + 1)[:, None, None]
    hit = (rng.random(shape) > 0.995) * rng.uniform(100, 3000, shape)
    data = 1000 + slope * number + np.cumsum(hit, axis=1) + rng.normal(0, 8, shape)
    groupdq = JUMP_DET * (hit > 0) | SATURATED * np.maximum.accumulate(data > 9000, axis=1)
    pixeldq = DO_NOT_USE * (rng.random(shape[-2:]) > 0.98)
    data[0, -1, 1, 1] = np.nan
    return make_ramp(
        data, groupdq, data[:, 0], pixeldq,
        NINTS=shape[0], NGROUPS=ngroups, NFRAMES=1, GROUPGAP=0, TGROUP=10.0, TFRAME=10.0,
    )  # fmt: skip


def made_up_image(shape: tuple[int, ...] = (130, 96), seed: int = 1) -> Product:
    """Make a product of slopes with noise, errors and bad pixels, which are NaN.

    Parameters
    ----------
    shape : (ny, nx) or (nints, ny, nx)
    seed : another number, another image
    """
    from heliodor.bits import DO_NOT_USE

    rng = np.random.default_rng(seed)
    poisson = rng.uniform(0.01, 0.1, shape).astype(np.float32)
    noise = rng.uniform(0.01, 0.02, shape).astype(np.float32)
    err = np.sqrt(poisson + noise)
    data = (rng.normal(5, 1, shape) * err).astype(np.float32)
    dq = (DO_NOT_USE * (rng.random(shape) > 0.98)).astype(np.uint32)
    for plane in (data, err, poisson, noise):
        plane[dq > 0] = np.nan
    planes = {"data": data, "err": err, "dq": dq, "var_poisson": poisson, "var_rnoise": noise}
    kind, model = ("rate", "ImageModel") if len(shape) == 2 else ("rateints", "CubeModel")
    return Product(kind, model, planes, Keywords({"SUBSTRT1": 1, "SUBSTRT2": 1}))


@dataclass(frozen=True)
class Simulated:
    """A raw exposure with known truth.

    Attributes
    ----------
    exposure : its file
    references : folder of the reference files that belong to it
    truth : file of what was put in (``rate_e``, ``gain`` ...), to be read with `numpy.load`
    """

    exposure: Path
    references: Path
    truth: Path


def simulated(mode: str, folder: str | Path, *options: str) -> Simulated:
    """Simulate an exposure of an installed mode, by ``heliodor simulate``.

    Parameters
    ----------
    mode : its name (``nircam-imaging``); `heliodor.modes` lists them
    folder : where the files are written
    *options : of the command, such as ``"--size", "64"``

    Raises
    ------
    heliodor.errors.UsageError
        There is no such mode, or heliodor-simulate is not installed.
    """
    import io
    import json
    from contextlib import redirect_stdout

    from heliodor.cli.main import parser
    from heliodor.errors import UsageError
    from heliodor.plugins import registry

    if "simulate" not in registry().commands:
        raise UsageError("exposures are simulated by heliodor-simulate: it is not installed")
    references = Path(folder) / "references"
    arguments = ["simulate", mode, "--out", str(folder), "--references", str(references)]
    namespace = parser("simulate").parse_args([*arguments, *options, "--json"])
    with redirect_stdout(io.StringIO()) as printed:
        namespace.run(namespace)
    made = json.loads(printed.getvalue())
    return Simulated(Path(made["exposure"]), references, Path(made["truth"]))


def _copy(array: Any, dtype: Any) -> np.ndarray:
    return np.array(array, dtype, order="C")
