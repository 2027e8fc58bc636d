"""Small exposures with known truth, and the reference files that belong to them."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from heliodor.plugins import registry


@dataclass(frozen=True)
class Case:
    """A simulated exposure."""

    exposure: Path
    references: Path
    truth: Path
    files: dict[str, Path]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Simulate an exposure of a mode, or with figures of one's own.

    The same arguments give the same files once a session.
    """
    from heliodor_simulate import Figures, simulate

    made: dict[Any, Case] = {}

    def make(mode: str | Figures, **arguments: Any) -> Case:
        key = (repr(mode), *sorted(arguments.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("exposure")
            references = folder / "references"
            figures = registry().modes[mode] if isinstance(mode, str) else mode
            done = simulate(figures, folder, references=references, **arguments)
            made[key] = Case(done.exposure, references, done.truth, done.references)
        return made[key]

    return make


@pytest.fixture(scope="session")
def small_nircam(simulated):
    """A window of NIRCam: averaged frames, ZEROFRAME, three integrations."""
    return simulated("nircam-imaging", size=64, nints=3, ngroups=6, readpatt="BRIGHT2")


@pytest.fixture(scope="session")
def small_niriss(simulated):
    """A subarray of NIRISS, one integration; references of the full frame are cut."""
    return simulated("niriss-imaging", subarray="SUB64", ngroups=5)


@pytest.fixture
def copied(tmp_path):
    """Copy an exposure to a folder of its own, changed on the way.

    ``keywords`` change the primary header (None removes), ``change`` is called with the open file.
    """

    def copy(case: Case, name: str = "", change=None, **keywords: Any) -> Path:
        folder = tmp_path / "raw"
        folder.mkdir(exist_ok=True)
        path = folder / (name or case.exposure.name)
        with fits.open(case.exposure, memmap=False) as hdus:
            for key, value in keywords.items():
                if value is None:
                    del hdus[0].header[key]
                else:
                    hdus[0].header[key] = value
            if change:
                change(hdus)
            hdus.writeto(path)
        return path

    return copy


@pytest.fixture
def cli():
    """Call the command line in this process; gives exit code, standard output and error."""
    from heliodor.cli import tables
    from heliodor.cli.main import main

    def call(*arguments: object) -> SimpleNamespace:
        out, err = io.StringIO(), io.StringIO()
        for console in (tables.console, tables.console_err):
            console.cache_clear()  # they keep the stream they were made with
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
        return SimpleNamespace(code=code, out=out.getvalue(), err=err.getvalue())

    yield call
    for console in (tables.console, tables.console_err):
        console.cache_clear()


@pytest.fixture
def child():
    """Run Python code in a process of its own; returns what it printed."""

    def run(code: str, *arguments: object) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def planes():
    """Read all arrays and tables of a file, by extension; not the tree, which holds times."""

    def read(path: Path) -> dict[str, np.ndarray]:
        with fits.open(path, memmap=False) as hdus:
            return {hdu.name: np.asarray(hdu.data) for hdu in hdus[1:] if hdu.name != "ASDF"}

    return read
