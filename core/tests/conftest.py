"""Made-up plugins: a dist-info folder each, and a module that exists in memory only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import heliodor.plugins
import numpy as np
import pytest
from astropy.io import fits
from heliodor.api import run
from heliodor.declare import Match, ModeSpec, Resource
from heliodor.hookspecs import hookimpl


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a distribution with one entry point on the path; returns the entry point."""

    def install(distribution: str, module: str, name: str = "", version: str = "1.0"):
        folder = tmp_path / f"{distribution}-{name or 'plugin'}"
        info = folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        name = name or distribution.removeprefix("heliodor-")
        (info / "entry_points.txt").write_text(f"[heliodor]\n{name} = {module}\n")
        monkeypatch.syspath_prepend(folder)
        (point,) = metadata.PathDistribution(info).entry_points
        return point

    return install


@pytest.fixture
def plugin(install, monkeypatch):
    """Make a plugin; returns its entry point.

    Hooks are given by name: a function, or the records that the hook shall return.
    """

    def make(distribution: str, name: str = "", version: str = "1.0", **hooks: Any):
        module = ModuleType(f"{distribution}_{name}_plugin".replace("-", "_"))
        for hook, value in hooks.items():
            setattr(module, hook, hookimpl(value if callable(value) else returning(value)))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return install(distribution, module.__name__, name, version)

    return make


def returning(value: Any) -> Callable[[], Any]:
    """Make a function without arguments that returns `value`."""

    def hook() -> Any:
        return value

    return hook


@pytest.fixture
def make_uncal(tmp_path):
    """Write a made-up raw exposure; returns its path.

    ``keywords`` change the primary header (None removes), ``extensions`` are added before ASDF,
    ``tree`` is the YAML of its ASDF extension.
    """

    def make(
        name: str = "jw01234001001_02101_00001_nrca1_uncal.fits",
        shape: tuple[int, int, int, int] = (2, 3, 4, 8),
        keywords: dict[str, Any] | None = None,
        extensions: tuple[Any, ...] = (),
        tree: str = "meta: {telescope: JWST}",
    ) -> Path:
        nints, ngroups = shape[:2]
        primary = fits.PrimaryHDU()
        values = {
            "FILENAME": name, "DATAMODL": "Level1bModel", "TELESCOP": "JWST", "FILETYPE": "raw",
            "INSTRUME": "NIRCAM", "DETECTOR": "NRCA1", "EXP_TYPE": "NRC_IMAGE", "FILTER": "F200W",
            "READPATT": "RAPID", "NINTS": nints, "NGROUPS": ngroups, "NFRAMES": 1,
            "TGROUP": 10.73677, "ZEROFRAM": False, "SUBARRAY": "SUB64P", "PROGRAM": "01234",
        }  # fmt: skip
        for key, value in {**values, **(keywords or {})}.items():
            if value is not None:
                primary.header[key] = value
        ramp = np.arange(np.prod(shape)).reshape(shape) * 7 % 65521
        science = fits.ImageHDU(ramp.astype(np.uint16), name="SCI")
        science.header["BUNIT"] = "DN"
        science.header["RA_REF"] = 53.1625
        columns = [fits.Column("integration_number", "J", array=np.arange(1, nints + 1))]
        for when in ("start", "mid", "end"):
            for scale in ("MJD_UTC", "BJD_TDB"):
                columns.append(fits.Column(f"int_{when}_{scale}", "D", array=np.full(nints, 6e4)))
        columns[2:] = [columns[i] for i in (3, 5, 2, 4, 6)]
        times = fits.BinTableHDU.from_columns(columns, name="INT_TIMES")
        head = (
            "#ASDF 1.0.0\n#ASDF_STANDARD 1.5.0\n%YAML 1.1\n"
            "%TAG ! tag:stsci.edu:asdf/\n--- !core/asdf-1.1.0\n"
        )
        text = f"{head}{tree}\n...\n"
        column = fits.Column("ASDF_METADATA", f"{len(text)}B", array=[list(text.encode())])
        asdf = fits.BinTableHDU.from_columns([column], name="ASDF")
        path = tmp_path / name
        fits.HDUList([primary, science, times, *extensions, asdf]).writeto(path, overwrite=True)
        return path

    return make


@pytest.fixture
def made_up(tmp_path, plugin, make_uncal, monkeypatch):
    """Make an instrument of some steps and pipelines, of which the first is its mode's.

    Gives a function that runs an exposure of it with edits, or plans it with ``do=plan``.
    """
    registry = heliodor.plugins.registry

    def make(steps: Any, *, instrument: str = "X", **documents: str):
        first, package = next(iter(documents)), f"pipelines_of_{tmp_path.name}"
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text("")
        for name, text in documents.items():
            (tmp_path / package / f"{name}.yaml").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        mode = ModeSpec(
            "x-imaging", "X imaging", instrument, Match({"INSTRUME": (instrument,)}), {1: first}
        )
        plugin(
            "heliodor-x",
            heliodor_steps=steps,
            heliodor_modes=[mode],
            heliodor_pipelines=[Resource(package, f"{name}.yaml") for name in documents],
        )
        monkeypatch.setenv("HELIODOR_PLUGINS", "x")
        registry.cache_clear()
        exposure = make_uncal(keywords={"INSTRUME": instrument})

        def calibrate(edits: str = "[]", do: Any = run, **options: Any):
            path = tmp_path / "my.yaml"
            edits = f"\n{edits}" if edits.startswith("- ") else edits
            path.write_text(f"extends: {first}\nedits: {edits}\n")
            return do(exposure, pipeline=path, **{"threads": 1, **options})

        return calibrate

    yield make
    registry.cache_clear()
