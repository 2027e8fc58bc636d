import numpy as np
import pytest
from astropy.io import fits
from heliodor.data import Keywords, Ramp
from heliodor.engine import execute
from heliodor.references.files import Reference
from heliodor_detector.steps.jump import SPEC as JUMP
from heliodor_detector.steps.jump.params import JumpParams


@pytest.fixture
def make_ramp():
    """Make a ramp of given data; keywords by name."""

    def make(data, groupdq=None, zeroframe=None, **keywords):
        data = np.array(data, np.float32)
        if groupdq is None:
            groupdq = np.zeros(data.shape, np.uint8)
        return Ramp(
            data=data,
            groupdq=groupdq,
            pixeldq=np.zeros(data.shape[-2:], np.uint32),
            keywords=Keywords({"SUBSTRT1": 1, "SUBSTRT2": 1, **keywords}),
            zeroframe=zeroframe,
        )

    return make


@pytest.fixture
def make_reference(tmp_path):
    """Write a reference file of given planes and open it for a ramp."""

    def make(type, ramp, header=(), dq_def=None, **planes):
        primary = fits.PrimaryHDU()
        primary.header.update(dict(header))
        hdus = [primary, *(fits.ImageHDU(plane, name=name) for name, plane in planes.items())]
        if dq_def:
            rows = [(bit, 1 << bit, name, "") for bit, name in enumerate(dq_def)]
            table = np.array(rows, [("BIT", "i4"), ("VALUE", "i4"), ("NAME", "S40"), ("D", "S8")])
            hdus.append(fits.BinTableHDU(table, name="DQ_DEF"))
        path = tmp_path / f"{type}.fits"
        fits.HDUList(hdus).writeto(path, overwrite=True)
        return Reference(type, path, ramp.keywords, ramp.shape[-2:], ramp.stripes)

    return make


@pytest.fixture
def run_jump(make_ramp, make_reference):
    """Run jump on a ramp of given data, groups of 10 s; gain 2 e-/DN, read noise 5 DN."""

    def run(data, groupdq=None, gain=2.0, readnoise=5.0, pixeldq=0, threads=1, strip=64, **params):
        groupdq = None if groupdq is None else groupdq.copy()
        ramp = make_ramp(data, groupdq, NFRAMES=1, TGROUP=10.0)
        ramp.pixeldq[:] = pixeldq
        shape = ramp.shape[-2:]
        references = {
            name: make_reference(name, ramp, SCI=np.broadcast_to(np.float32(plane), shape).copy())
            for name, plane in (("gain", gain), ("readnoise", readnoise))
        }
        outcome = execute(
            JUMP, ramp, JumpParams(**params), references, threads=threads, strip=strip
        )
        return ramp, outcome

    return run
