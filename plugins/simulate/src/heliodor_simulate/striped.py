"""Exposures in stripes: lines cut out of the images of a window that is simulated whole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from heliodor.declare import Layout
from heliodor.stripes import Stripes

from heliodor_simulate.figures import Axes, Reads


@dataclass(frozen=True)
class Striped:
    """The array of an exposure whose lines lie here and there in the window.

    Attributes
    ----------
    corner, size : of the array, as its header gives them
    keywords : about stripes
    stripes : where its lines lie
    """

    corner: tuple[int, int]
    size: tuple[int, int]
    keywords: dict[str, int]
    stripes: Stripes

    @classmethod
    def of(
        cls,
        corner: tuple[int, int],
        size: tuple[int, int],
        axes: Axes,
        reads: Reads,
        full: tuple[int, int],
    ) -> Striped:
        """Describe an array.

        Parameters
        ----------
        corner, size : of the array
        axes : of the detector
        reads : which of its lines are read when
        full : (nx, ny) of the detector
        """
        keywords = {
            "SUBSTRT1": corner[0], "SUBSTRT2": corner[1],
            "SUBSIZE1": size[0], "SUBSIZE2": size[1],
            "FASTAXIS": axes.fast, "SLOWAXIS": axes.slow,
            "MSTR_RD1": reads.reads1, "MSTR_SK1": reads.skips1,
            "MSTR_RD2": reads.reads2, "MSTR_SK2": reads.skips2,
            "MSTR_RPT": reads.repeat, "MSTR_ILV": reads.interleave,
            "SSTR_STP": reads.step, "SSTR_NST": reads.number,
        }  # fmt: skip
        named = ("STRIPES",) if reads.joined_to_full else ()
        layout = Layout(full=full, joined_to_full=named)
        stripes = Stripes.of({**keywords, "SUBARRAY": "STRIPES"}, layout)
        assert stripes is not None
        return cls(corner, size, keywords, stripes)

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx) of the array."""
        return self.size[1], self.size[0]

    @property
    def turns(self) -> int:
        """Integrations that make one of the user's: superstripes."""
        return len(self.stripes.lines)

    def cut(self, image: np.ndarray, integration: int) -> np.ndarray:
        """Take the lines of one integration out of an image of the window."""
        lines = self.stripes.lines[integration % self.turns]
        return np.take(image, lines, axis=self.stripes.axis)

    def joined(self, image: np.ndarray) -> np.ndarray:
        """Take what the exposure has in the end out of an image of the window."""
        if not self.stripes.superstripes:
            return self.cut(image, 0)
        first, length = self.stripes.extent
        return np.take(image, range(first, first + length), axis=self.stripes.axis)

    def joined_keywords(self) -> dict[str, int]:
        """Give the keywords that place what the exposure has in the end."""
        names = [name for name in self.keywords if name.startswith("SUB")]
        keywords = {name: self.keywords[name] for name in names}
        if self.stripes.superstripes:
            axis = -self.stripes.axis
            first, keywords[f"SUBSIZE{axis}"] = self.stripes.extent
            keywords[f"SUBSTRT{axis}"] = first + 1
        return keywords

    def window(self, full: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Give corner and size of the window: the array's, but all of the detector's lines."""
        along = -self.stripes.axis - 1
        corner, size = list(self.corner), list(self.size)
        corner[along], size[along] = 1, full[along]
        return (corner[0], corner[1]), (size[0], size[1])
