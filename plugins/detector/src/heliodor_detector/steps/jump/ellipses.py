"""Ellipses that stand for connected regions of an image: measured, compared, drawn."""

from __future__ import annotations

from math import atan2

import numpy as np

from heliodor_detector.steps.jump.regions import label_runs, mark_containing

ELLIPSE = np.dtype([(name, "f8") for name in ("x", "y", "major", "minor", "angle")])
"""Centre [pixels], full axes [pixels], angle from the y axis to the major axis [degrees].

An ellipse whose axes are one pixel longer has the second moments of the region.  A straight line
of single pixels has the minor axis -1.  Angles count from +y towards +x.
"""

SMALLEST_RING = 8
"""Pixels around a hole of one pixel; background connects by corners, too."""

Cover = tuple[slice, slice, np.ndarray]
"""What an ellipse covers: rows, columns, and a bool array of their shape."""


class Regions:
    """The connected regions of an image; corners connect.

    Parameters
    ----------
    image : (ny, nx) uint8, set where not zero
    min_area : smallest area of a region, its holes included [pixels]

    Attributes
    ----------
    ellipses : (n,) of `ELLIPSE`, in the order of the regions' first pixels
    """

    def __init__(self, image: np.ndarray, min_area: float):
        runs = label_runs(image)
        region = runs[:, 0]
        y, start, stop = runs[:, 1:].T.astype(float)
        length = stop - start
        middle = (start + stop - 1) / 2
        area = np.bincount(region, length)
        x_center = np.bincount(region, length * middle) / area
        y_center = np.bincount(region, length * y) / area

        # moments about the pixel nearest to the centre: sums of halves and integers, thus exact
        dx, dy = middle - np.rint(x_center)[region], y - np.rint(y_center)[region]
        x_shift = np.bincount(region, length * dx)
        y_shift = np.bincount(region, length * dy)
        xx = np.bincount(region, length * dx**2 + (length**3 - length) / 12) - x_shift**2 / area
        yy = np.bincount(region, length * dy**2) - y_shift**2 / area
        xy = np.bincount(region, length * dx * dy) - x_shift * y_shift / area

        # the runs of a region are those from one of the bounds to the next
        self._runs = runs[np.argsort(region, kind="stable")]
        self._bounds = np.append(0, np.cumsum(np.bincount(region)))
        large = area >= min_area
        for index in np.flatnonzero(self._may_have_holes(area, min_area)):
            large[index] = _filled_area(self._image(index)) >= min_area
        self._kept = np.flatnonzero(large)
        axes = _axes(
            np.stack([xx, -xy, -xy, yy], -1)[large].reshape(-1, 2, 2) / area[large, None, None]
        )
        self.ellipses = _ellipses(x_center[large], y_center[large], *axes)

    def _may_have_holes(self, area: np.ndarray, min_area: float) -> np.ndarray:
        """Regions that are too small, unless they have holes."""
        first, last = self._bounds[:-1], self._bounds[1:] - 1
        height = self._runs[last, 1] - self._runs[first, 1] + 1
        some_row_has_two_runs = last - first + 1 > height
        return some_row_has_two_runs & (area < min_area) & (area >= SMALLEST_RING)

    def _image(self, region: np.signedinteger) -> np.ndarray:
        """Cut out one region: a bool array as large as it."""
        runs = self._runs[self._bounds[region] : self._bounds[region + 1]]
        _, top, left, _ = runs.min(axis=0)
        _, bottom, _, right = runs.max(axis=0)
        image = np.zeros((bottom - top + 1, right - left), bool)
        for _, y, start, stop in runs:
            image[y - top, start - left : stop - left] = True
        return image

    def to_draw(self, wanted: np.ndarray) -> np.ndarray:
        """Measure some of the regions anew, with the rounding errors of scikit-image.

        These decide which of the pixels just on a circle are in it, and operations have them.

        Parameters
        ----------
        wanted : (n,) bool, of `ellipses`
        """
        ellipses = self.ellipses[wanted]
        for ellipse, region in zip(ellipses, self._kept[wanted], strict=True):
            inertia = _inertia(self._image(region).astype(float))
            for name, value in zip(("major", "minor", "angle"), _axes(inertia[None]), strict=True):
                ellipse[name] = value[0]
        return ellipses


def _ellipses(*columns: np.ndarray) -> np.ndarray:
    out = np.empty(len(columns[0]), ELLIPSE)
    for name, column in zip(ELLIPSE.names or (), columns, strict=True):
        out[name] = column
    return out


def _inertia(image: np.ndarray) -> np.ndarray:
    """Inertia of an image's pixels about their centre, per pixel, by products of matrices."""
    area = image.sum()
    moments = image
    for axis, size in enumerate(image.shape):
        place = np.arange(size, dtype=float)
        center = image.sum(axis=1 - axis) @ place / area
        powers = (place - center)[:, None] ** np.arange(4.0)
        moments = np.einsum(("yx,yp->px", "px,xq->pq")[axis], moments, powers, optimize="greedy")
    yy, xx, xy = moments[2, 0], moments[0, 2], moments[1, 1]
    both = yy + xx
    return np.array([[both - yy, -xy], [-xy, both - xx]]) / moments[0, 0]


def _axes(inertia: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Full axes [pixels] and angle [degrees] of ellipses.

    Parameters
    ----------
    inertia : (n, 2, 2) float64; what lies far out in x resists turning about the y axis
    """
    minor, major = 4 * np.sqrt(np.clip(np.linalg.eigvalsh(inertia), 0, None)).T - 1
    about_y, cross, about_x = inertia[:, 0, 0], inertia[:, 0, 1], inertia[:, 1, 1]
    # where x and y are alike, the major axis is a diagonal
    diagonal = np.where(cross < 0, np.pi / 4, -np.pi / 4)
    # not NumPy's: its last digits depend on the processor
    inclined = [0.5 * atan2(*each) for each in zip(-2 * cross, about_x - about_y, strict=True)]
    angle = np.where(about_y == about_x, diagonal, inclined)
    return major, minor, np.degrees(angle)


def _filled_area(image: np.ndarray) -> int:
    """Area of a region and its holes."""
    from scipy import ndimage

    return int(np.count_nonzero(ndimage.binary_fill_holes(image, np.ones((3, 3)))))


def contain(ellipses: np.ndarray, others: np.ndarray, *, exchanged: bool = False) -> np.ndarray:
    """Say which of the ellipses hold the centre of any of the others.

    Parameters
    ----------
    ellipses : (n,) of `ELLIPSE`
    others : (m,) of `ELLIPSE`
    exchanged : take the way from centre to centre with x and y exchanged, as operations do

    Returns
    -------
    (n,) bool
    """
    inside = np.zeros(len(ellipses), bool)
    if len(ellipses) and len(others):
        order = [1, 0, 2, 3, 4] if exchanged else slice(None)
        mark_containing(
            np.ascontiguousarray(_columns(ellipses)[:, order]),
            np.ascontiguousarray(_columns(others)[:, order]),
            inside,
        )
    return inside


def _columns(ellipses: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(ellipses).view(np.float64).reshape(len(ellipses), -1)


def cover(ellipse: np.void, major: float, minor: float, shape: tuple[int, int]) -> Cover:
    """Find the pixels whose centres are in an ellipse of given size.

    Parameters
    ----------
    ellipse : one of `ELLIPSE`, for centre and angle
    major, minor : full axes [pixels]; both halves are rounded
    shape : (ny, nx) of the image

    Returns
    -------
    `Cover`; empty if an axis is less than a pixel

    Notes
    -----
    A minor axis that is negative counts by its size, but makes the box that is looked at smaller.
    """
    x, y = round(float(ellipse["x"])), round(float(ellipse["y"]))
    long, short = round(major / 2), round(minor / 2)
    if long == 0 or short == 0:
        return slice(0), slice(0), np.empty((0, 0), bool)
    angle = np.radians(ellipse["angle"]) % np.pi
    sine, cosine = np.sin(angle), np.cos(angle)
    reach_x = long * sine + abs(short * cosine)
    reach_y = abs(long * cosine) + short * sine
    rows = _within(y - reach_y, y + reach_y, shape[0])
    columns = _within(x - reach_x, x + reach_x, shape[1])
    dy = np.arange(rows.start, rows.stop)[:, None] - float(y)
    dx = np.arange(columns.start, columns.stop) - float(x)
    distance = ((dy * cosine + dx * sine) / long) ** 2 + ((dy * sine - dx * cosine) / short) ** 2
    return rows, columns, distance < 1


def _within(first: float, last: float, size: int) -> slice:
    """Whole pixels from `first` to `last` that are in an image of that size."""
    start = max(int(np.ceil(first)), 0)
    return slice(start, max(min(int(np.floor(last)) + 1, size), start))


def cover_widened(
    ellipse: np.void, factor: float, largest_radius: float, shape: tuple[int, int]
) -> Cover:
    """Find what an ellipse covers when its minor axis is `factor` times as long.

    The major axis grows by as many pixels, so that long ellipses do not become huge; no half axis
    becomes larger than `largest_radius`.
    """
    growth = (factor - 1.0) * ellipse["minor"]
    largest = 2 * largest_radius
    return cover(
        ellipse,
        min(ellipse["major"] + growth, largest),
        min(ellipse["minor"] * factor, largest),
        shape,
    )
