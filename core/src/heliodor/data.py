"""The two things steps work on: a ramp, and a product of slopes.

Both are plain native-endian arrays with the keywords of the file they came from.  Files are read
and written elsewhere (`heliodor.exposures`, `heliodor.products`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, MutableMapping
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from heliodor.declare import PLANES
from heliodor.errors import MissingKeyword
from heliodor.workspace import MEMORY, Workspace

if TYPE_CHECKING:
    from heliodor.stripes import Stripes


class Header(dict[str, Any]):
    """A header as it was read, by keyword; `astropy` takes its time for every look at one.

    Parameters
    ----------
    header : of `astropy.io.fits`, or any mapping
    """

    def __init__(self, header: Mapping[str, Any]):
        super().__init__(header)
        self._header = header

    @cached_property
    def cards(self) -> list[tuple[str, Any, str]]:
        """Keywords, values and comments in order; HISTORY and COMMENT line by line."""
        cards = getattr(self._header, "cards", None)
        if cards is None:
            return [(name, value, "") for name, value in self.items()]
        return [tuple(card) for card in cards]


class Keywords(MutableMapping[str, Any]):
    """Header keywords of an exposure, by FITS name; what is set here goes into the products.

    The primary header is looked at first, then that of the SCI extension.

    Attributes
    ----------
    primary, sci : the two headers as they were read
    changed : what has been set since
    """

    def __init__(self, primary: Mapping[str, Any], sci: Mapping[str, Any] | None = None):
        self.primary = Header(primary)
        self.sci = Header({} if sci is None else sci)
        self.changed: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        for header in (self.changed, self.primary, self.sci):
            if name in header:
                return header[name]
        raise MissingKeyword(f"the header lacks the keyword {name}")

    def __setitem__(self, name: str, value: Any) -> None:
        self.changed[name] = value

    def __delitem__(self, name: str) -> None:
        raise TypeError("keywords of the input are kept")

    def __iter__(self) -> Iterator[str]:
        return iter({**self.sci, **self.primary, **self.changed})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def copy(self) -> Keywords:
        """Return keywords that can be changed apart from these."""
        new = copy(self)  # what was read is never changed, and is shared
        new.changed = dict(self.changed)
        return new


RAMP_MODEL = "RampModel"
"""The `stdatamodels.jwst.datamodels` class of ramps that slopes are fitted to."""


@dataclass
class Ramp:
    """An exposure before its slopes are fitted.

    Attributes
    ----------
    data : (nints, ngroups, ny, nx) float32 [DN]
    groupdq : (nints, ngroups, ny, nx) uint8, bits of `heliodor.bits.GROUP`
    pixeldq : (ny, nx) uint32, bits of `heliodor.bits.PIXEL`; (nstripes, ny, nx) as long as
        superstripes are not joined: integrations take turns with its planes
    zeroframe : (nints, ny, nx) float32 [DN] or None
    extra : further planes by extension name (``AVDRKCUR``), C-contiguous
    keywords : of the input; what steps set is carried into the products
    source : where everything else of the input (tables, unknown extensions) is found, or None
    stripes : where its lines lie on the detector, or None if it is one piece
    read_times : (ngroups, nframes) [s] since the reset, of the reads that are averaged into each
        group, or None if groups follow each other evenly
    model : the `stdatamodels.jwst.datamodels` class that it is written as; one without flags of
        groups has PIXELDQ as its DQ
    spent : nothing needs it after the step at work, which may put its results into `data`
    """

    data: np.ndarray
    groupdq: np.ndarray
    pixeldq: np.ndarray
    keywords: Keywords
    zeroframe: np.ndarray | None = None
    extra: dict[str, np.ndarray] = field(default_factory=dict)
    source: Any = None
    stripes: Stripes | None = None
    read_times: np.ndarray | None = None
    model: str = RAMP_MODEL
    spent: bool = False

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(nints, ngroups, ny, nx)."""
        nints, ngroups, ny, nx = self.data.shape
        return nints, ngroups, ny, nx

    def copy(self, planes: Collection[str] = PLANES, workspace: Workspace = MEMORY) -> Ramp:
        """Give a ramp that can be changed apart from this one.

        Parameters
        ----------
        planes : those that will be changed; of ``data``, ``groupdq`` and ``zeroframe`` the others
            are shared
        workspace : where large copies live
        """
        copies: dict[str, np.ndarray] = {"pixeldq": self.pixeldq.copy()}
        for name in ("data", "groupdq", "zeroframe"):
            plane = getattr(self, name)
            if name in planes and plane is not None:
                copies[name] = workspace.empty(plane.shape, plane.dtype)
                np.copyto(copies[name], plane)
        extra = {name: plane.copy() for name, plane in self.extra.items()}
        return replace(self, keywords=self.keywords.copy(), extra=extra, **copies)  # type: ignore

    def keep_rows(self, rows: np.ndarray) -> None:
        """Drop all rows but some; the memory of the arrays is used again.

        Parameters
        ----------
        rows : indices of those that stay, ascending
        """
        self.data = _with_rows(self.data, rows)
        self.groupdq = _with_rows(self.groupdq, rows)
        self.pixeldq = self.pixeldq[rows]
        if self.zeroframe is not None:
            self.zeroframe = np.take(self.zeroframe, rows, axis=1)  # C-contiguous
        self.extra = {name: plane[rows] for name, plane in self.extra.items()}

    def unusable_groups(self) -> np.ndarray:
        """Find groups that are DO_NOT_USE in every pixel.

        Returns
        -------
        (nints, ngroups) bool
        """
        from heliodor.bits import DO_NOT_USE

        nints, ngroups = self.shape[:2]
        out = np.zeros((nints, ngroups), bool)
        for integration in range(nints):
            for group in range(ngroups):
                plane = self.groupdq[integration, group]
                # most planes are decided by their first row
                if (plane[0] & DO_NOT_USE).all():
                    out[integration, group] = bool((plane & DO_NOT_USE).all())
        return out


def of_integration(plane: np.ndarray, integration: int) -> np.ndarray:
    """Give the image that is meant for one integration.

    Parameters
    ----------
    plane : (ny, nx) for all, or (nstripes, ny, nx) for superstripes, taken in turn
    integration : its index in the exposure
    """
    return plane if plane.ndim == 2 else plane[integration % len(plane)]


def _with_rows(cube: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Move rows of every image towards the beginning of a cube's memory, and view them there."""
    nints, ngroups, _, nx = cube.shape
    kept = cube.reshape(-1)[: nints * ngroups * rows.size * nx]
    kept = kept.reshape(nints, ngroups, rows.size, nx)
    for integration in range(nints):
        for group in range(ngroups):
            # images only move to where earlier ones were
            kept[integration, group] = cube[integration, group, rows]
    return kept


PLAIN = "JwstDataModel"
"""The model class of products that are no known kind of data."""


@dataclass
class Product:
    """A result of a step: slopes with their errors, or any other named planes.

    Attributes
    ----------
    kind : what it is called in documents and file names (``rate``, ``rateints``)
    model : the `stdatamodels.jwst.datamodels` class that it is written as (``ImageModel``);
        `PLAIN` for what has no class of its own
    planes : arrays by the model's own names (``data``, ``err``, ``dq``, ``var_poisson``, ...); of a
        plain product, by any name, which in capitals is that of its extension.  Those of several
        integrations may lie between each other until `make_contiguous`
    keywords : header keywords
    unit : of ``data`` and ``err``
    source : the input whose other extensions are kept, or None
    stripes : where its lines lie on the detector, or None if it is one piece
    tables : structured arrays by extension name
    """

    kind: str
    model: str
    planes: dict[str, np.ndarray]
    keywords: Keywords
    unit: str = "DN/s"
    source: Any = None
    stripes: Stripes | None = None
    tables: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of its ``data``: (ny, nx) or (nints, ny, nx)."""
        return self.planes["data"].shape

    def make_contiguous(self) -> None:
        """Give every plane memory of its own if it lies among others: kernels want it so."""
        self.planes = {name: np.ascontiguousarray(plane) for name, plane in self.planes.items()}

    def copy(self) -> Product:
        """Give a product that can be changed apart from this one."""
        planes = {name: plane.copy() for name, plane in self.planes.items()}
        return replace(self, planes=planes, keywords=self.keywords.copy())
