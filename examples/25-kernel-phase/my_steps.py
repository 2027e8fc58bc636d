"""Kernel phases: what is left of the phases of an image that an aberrated pupil cannot change.

The method is that of Martinache (2010, ApJ 724, 464).
"""

from itertools import combinations

import numpy as np
from heliodor.bits import DO_NOT_USE, PIXEL
from heliodor.data import PLAIN, Product
from heliodor.declare import Output, Phase
from heliodor.errors import StepError
from heliodor.params import File, Params, parameter
from heliodor.step import Step, step

WAVELENGTH = {"F277W": 2.77e-6, "F380M": 3.83e-6, "F430M": 4.28e-6, "F480M": 4.82e-6}  # m
SCALE = np.deg2rad(0.0655 / 3600)  # of a pixel of NIRISS
DIAMETER = 6.6  # m


def cycles(keywords):
    """Give the frequency that a baseline of 1 m leaves in the image [cycles per pixel]."""
    return SCALE / WAVELENGTH[keywords["FILTER"]]


class TrimParams(Params):
    """Parameters of Trim."""

    size: int = parameter(64, "Width and height of what is kept.", unit="pixel", ge=8)


class Trim(Step[TrimParams]):
    """Cut out a square around the star."""

    Params = TrimParams
    takes, reshapes, status = "image", True, "S_KPTRIM"
    phases = (Phase("cut", looks="exposure", writes=("data", "err", "dq")),)

    def cut(self, product):
        """Find the star in the mean of all integrations, and keep what is around it."""
        planes, size = product.planes, self.params.size
        if size > min(planes["data"].shape[-2:]):
            raise StepError(f"size is {size}: the image has {planes['data'].shape[-2:]} pixels")
        good = ((planes["dq"] & DO_NOT_USE) == 0) & np.isfinite(planes["data"])
        mean = np.where(good, planes["data"], 0).mean(axis=0)
        spots = np.lib.stride_tricks.sliding_window_view(mean, (3, 3)).sum(axis=(2, 3))
        peak = np.array(np.unravel_index(spots.argmax(), spots.shape)) + 1
        first = np.clip(peak - size // 2, 0, np.array(mean.shape) - size)
        y, x = (slice(start, start + size) for start in first)
        product.planes = {
            name: np.ascontiguousarray(plane[:, y, x]) for name, plane in planes.items()
        }


@step(looks="frame", writes=["data", "dq"], takes="image", status="S_KPFIX")
def fix_bad_pixels(data: np.ndarray, dq: np.ndarray, keywords, *, rounds: int = 100):
    """Give bad pixels the values of an image without frequencies that the pupil cannot pass.

    Parameters
    ----------
    rounds : int
        How often these frequencies are taken away and good pixels put back.
    """
    bad = ((dq & DO_NOT_USE) > 0) | ~np.isfinite(data)
    ny, nx = data.shape
    beyond = np.hypot(np.fft.fftfreq(ny)[:, None], np.fft.fftfreq(nx)) > DIAMETER * cycles(keywords)
    image = np.where(bad, np.median(data[~bad]), data).astype(np.float64)
    for _ in range(rounds):
        spectrum = np.fft.fft2(image)
        spectrum[beyond] = 0
        image[bad] = np.fft.ifft2(spectrum).real[bad]
    flags = np.where(bad, dq & ~np.uint32(DO_NOT_USE) | PIXEL["FLUX_ESTIMATED"], dq)
    return {"data": image.astype(np.float32), "dq": flags}


@step(looks="frame", writes="data", takes="image", status="S_KPCENT")
def recentre(data: np.ndarray, *, rounds: int = 3):
    """Shift the star onto the middle pixel; by fractions of a pixel, so errors stay where they are.

    Parameters
    ----------
    rounds : int
        How often its place is measured anew, by the slope of phases of low frequencies.
    """
    ny, nx = data.shape
    fy, fx = np.fft.fftfreq(ny)[:, None], np.fft.fftfreq(nx)
    spectrum = np.fft.fft2(np.fft.ifftshift(data.astype(np.float64)))
    for _ in range(rounds):
        y, x = (-np.angle(spectrum[low]) / (2 * np.pi) for low in ((1, 0), (0, 1)))
        spectrum *= np.exp(2j * np.pi * (fy * y * ny + fx * x * nx))
    return np.fft.fftshift(np.fft.ifft2(spectrum).real).astype(np.float32)


class KernelPhaseParams(Params):
    """Parameters of KernelPhase."""

    pupil: File | None = parameter(None, "Text with x and y of each part of the pupil, in m.")
    radius: float = parameter(28.0, "Of the window, which is soft.", unit="pixel", gt=0)


class KernelPhase(Step[KernelPhaseParams]):
    """Measure phases on all baselines of a pupil, and give those combinations that are kernels."""

    Params = KernelPhaseParams
    takes, status = "image", "S_KPHASE"
    makes = (Output("kpfits", planes=0),)

    def finish(self, product):
        """Make the product."""
        if self.params.pupil is None:
            raise StepError("say in `pupil` which file holds the model of the pupil")
        parts = np.loadtxt(self.params.pupil, ndmin=2)
        baselines, phases_of = model(parts)
        kernels = null_space(phases_of)
        data, err = product.planes["data"], np.nan_to_num(product.planes["err"])
        ny, nx = data.shape[1:]
        y, x = np.indices((ny, nx)) - np.array([ny // 2, nx // 2])[:, None, None]
        window = np.exp(-((np.hypot(y, x) / self.params.radius) ** 4))
        u, v = baselines.T[:, :, None, None] * cycles(product.keywords)
        waves = (window * np.exp(-2j * np.pi * (u * x + v * y))).reshape(len(baselines), -1)
        rows = []
        for integration, (image, noise) in enumerate(zip(data, err, strict=True), 1):
            visible = waves @ image.ravel()
            phase = kernels @ np.angle(visible)
            turned = kernels @ (waves / visible[:, None]).imag  # by light in each pixel
            error = np.sqrt(turned**2 @ noise.ravel() ** 2.0)
            found = enumerate(zip(phase, error, strict=True), 1)
            rows += [(integration, kernel, *each) for kernel, each in found]
        columns = [("integration", "i4"), ("kernel", "i4"), ("phase", "f4"), ("error", "f4")]
        lines = np.array([tuple(line) for line in baselines], [("u", "f4"), ("v", "f4")])
        tables = {"KPHASE": np.array(rows, columns), "BASELINES": lines}
        keywords = product.keywords.copy()
        keywords["NKERNEL"] = len(kernels)
        planes = {"kernels": kernels.astype(np.float32)}
        return {"kpfits": Product("kpfits", PLAIN, planes, keywords, tables=tables)}


def model(parts):
    """Give baselines [m], each once, and what phases of the parts of a pupil make of theirs."""
    seen, rows = {}, []
    for first, second in combinations(range(len(parts)), 2):
        line = np.round(parts[second] - parts[first], 2) + 0.0
        sign = 1 if tuple(line) > (0, 0) else -1
        row = np.zeros(len(parts))
        row[second], row[first] = sign, -sign
        key = tuple(sign * line)
        if key not in seen:
            seen[key] = len(rows)
            rows.append([])
        rows[seen[key]].append(row)
    return np.array(list(seen)), np.array([np.mean(each, axis=0) for each in rows])


def null_space(matrix):
    """Give all rows that make zero of a matrix, (n, nbaselines)."""
    left, sizes, _ = np.linalg.svd(matrix)
    return left[:, (sizes > 1e-9).sum() :].T
