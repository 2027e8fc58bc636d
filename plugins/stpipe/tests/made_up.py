"""Made-up Steps, as an astronomer would write them for stpipe."""

from __future__ import annotations

import logging

import numpy as np
from astropy.io import fits
from stdatamodels.jwst import datamodels
from stpipe import Pipeline, Step

log = logging.getLogger(__name__)


class PedestalStep(Step):
    """Add a pedestal, times the gain, to every group."""

    class_alias = "pedestal"
    reference_file_types = ["gain"]  # noqa: RUF012
    spec = """
        level = float(default=2.0, min=0) # what is added
        flag = boolean(default=True) # flag the first group
        mode = option('all', 'first', default='all') # groups that get it
        output_ext = string(default='.fits')
    """

    def process(self, ramp):
        """Change a copy."""
        result = ramp.copy()
        name = self.get_reference_file(ramp, "gain")
        gain = 1 if name == "N/A" else fits.getdata(name)
        groups = slice(None) if self.mode == "all" else slice(1)
        result.data[:, groups] += self.level * gain
        if self.flag:
            result.groupdq[:, 0] |= 4
        result.meta.exposure.primary_cosmic_rays = 12.5
        result.meta.cal_step.pedestal = "COMPLETE"
        return result


class InPlaceStep(Step):
    """Change the ramp itself, to doubles, and flag a pixel."""

    spec = "output_ext = string(default='.fits')"

    def process(self, ramp):
        """Change the input."""
        ramp.data = ramp.data.astype(float) * 2
        ramp.pixeldq[0, 1] = 1 << 30
        return ramp


class SlopeStep(Step):
    """Take the last group less the first for a slope."""

    spec = """
        both = boolean(default=False) # also for each integration
        output_ext = string(default='.fits')
    """

    def process(self, ramp):
        """Make a product, or two."""
        slopes = (ramp.data[:, -1] - ramp.data[:, 0]) / ramp.meta.exposure.group_time
        image = datamodels.ImageModel(slopes.mean(axis=0))
        image.update(ramp)
        image.meta.bunit_data = "DN/s"
        if not self.both:
            return image
        cube = datamodels.CubeModel(slopes)
        cube.update(ramp)
        return image, cube


class FitStep(SlopeStep):
    """Fit slopes, another way than the operational step."""

    class_alias = "ramp_fit"
    spec = "save_opt = boolean(default=False) # Save optional output"

    def process(self, ramp):
        """Make two products, and save a third."""
        self.both = True
        if self.save_opt:
            optional = datamodels.RampFitOutputModel()
            optional.slope = np.ones((1, 1, *ramp.data.shape[-2:]), np.float32)
            self.save_model(optional, "fitopt")
        return super().process(ramp)


class SideStep(Step):
    """Write something beside."""

    spec = "output_ext = string(default='.fits')"

    def process(self, ramp):
        """Save an image."""
        self.save_model(datamodels.ImageModel(ramp.data[0, 0]), "side", force=True)
        return ramp


class LeaveOutStep(Step):
    """Never apply."""

    spec = "output_ext = string(default='.fits')"

    def process(self, ramp):
        """Leave itself out, and say so where another step's status stands."""
        result = ramp.copy()
        result.data[:] = -1
        log.info("Looking")
        log.warning("There are too few groups;")
        log.info("The step will be skipped")
        result.meta.cal_step.jump = "SKIPPED"
        return result


class BreakStep(Step):
    """Raise an exception."""

    spec = "output_ext = string(default='.fits')"

    def process(self, ramp):
        """Fail."""
        raise IndexError("index 124 is out of bounds")


class CutStep(Step):
    """Give another shape, or nothing, or text."""

    spec = """
        what = option('shape', 'none', 'text', default='shape')
        output_ext = string(default='.fits')
    """

    def process(self, ramp):
        """Return what cannot be taken back."""
        if self.what != "shape":
            return None if self.what == "none" else "file.fits"
        result = ramp.copy()
        result.data = result.data[:, 1:]
        result.groupdq = result.groupdq[:, 1:]
        return result


class StatusStep(Step):
    """Work only after saturation."""

    spec = "output_ext = string(default='.fits')"

    def process(self, ramp):
        """Look at the status of an earlier step."""
        result = ramp.copy()
        if ramp.meta.cal_step.saturation == "COMPLETE":
            result.data += 1000
        return result


class WholePipeline(Pipeline):
    """A pipeline of stpipe."""

    spec = "output_ext = string(default='.fits')"
    step_defs = {"pedestal": PedestalStep}  # noqa: RUF012
