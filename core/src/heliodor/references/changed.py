"""Reference files of one run: as they were found, changed by a plugin, or made on the way."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from heliodor.data import Product, Ramp
from heliodor.errors import HeliodorError, ReferenceError, StepError
from heliodor.hashes import file_sha256
from heliodor.references.selectors import Found, Made, NotApplicable
from heliodor.services import Files

if TYPE_CHECKING:
    from heliodor.plans import PlannedStep


class ReferenceFiles:
    """Gives the files that steps read; what is made for them is gone with the run.

    Attributes
    ----------
    hashes : of those that were changed or made, by type
    """

    def __init__(self, keywords: Mapping[str, Any]):
        self.hashes: dict[str, str] = {}
        self._keywords = keywords
        self._ready: dict[tuple[str, object], Path] = {}

    def of(self, step: PlannedStep, ports: Mapping[str, Ramp | Product]) -> Files:
        """Give the reference files of a step, by type."""
        files: dict[str, Path | None] = {}
        for name, answer in step.references.items():
            if isinstance(answer, Found):
                files[name] = answer.path if answer.by is None else self._changed(name, answer)
            elif isinstance(answer, Made):
                files[name] = self._made(name, ports[answer.port])
            elif isinstance(answer, NotApplicable):
                files[name] = None
        return files

    def close(self) -> None:
        """Take away what was made."""
        if "_folder" in vars(self):
            self._folder.cleanup()

    @cached_property
    def _folder(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="heliodor-")

    def _changed(self, name: str, answer: Found) -> Path:
        assert answer.by is not None
        key = name, answer.path
        if key not in self._ready:
            from heliodor.engine import load

            folder = Path(self._folder.name) / f"{name}-{len(self._ready)}"
            folder.mkdir()
            try:
                given = load(answer.by.impl)(answer.path, self._keywords, folder)
                if isinstance(given, Mapping):
                    given = _with_arrays(answer.path, given, folder)
            except HeliodorError:
                raise
            except Exception as error:
                raise ReferenceError(
                    f"{answer.path}: {answer.by.name} failed to change this {name} reference: "
                    f"{type(error).__name__}: {error}"
                ) from error
            self._keep(key, Path(given))
        return self._ready[key]

    def _made(self, name: str, product: Ramp | Product) -> Path:
        key = name, product.kind if isinstance(product, Product) else ""
        if not isinstance(product, Product):
            raise StepError(f"a ramp cannot be a {name} reference")
        from heliodor import products

        path = Path(self._folder.name) / f"{name}-{len(self._ready)}.fits"
        self._keep(key, products.write(product, path))
        return path

    def _keep(self, key: tuple[str, object], path: Path) -> None:
        self._ready[key] = path
        self.hashes[key[0]] = file_sha256(path)


def _with_arrays(path: Path, arrays: Mapping[str, np.ndarray], folder: Path) -> Path:
    """Write a file like another one, with some other arrays."""
    from astropy.io import fits

    with fits.open(path) as hdus:
        for name, array in arrays.items():
            if name not in hdus:
                raise ReferenceError(f"{path}: has no extension {name} that could be changed")
            hdus[name].data = array
        new = folder / path.name
        hdus.writeto(new)
    return new
