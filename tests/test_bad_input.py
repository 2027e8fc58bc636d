"""Whatever is wrong is said in one message: what, where, and what is allowed.

Each time: the exit code of the kind of mistake, no traceback, nothing half-written, and the input
as it was.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from heliodor.errors import NotYetError
from heliodor.products import stream
from heliodor_detector.steps.superbias.step import SuperBias

WRONG, EXPOSURE, REFERENCE, NOT_YET, OUTPUT, STEP, INTERRUPTED = 2, 3, 4, 6, 7, 8, 130


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def refused(cli, small_nircam, out):
    """Run a command that must fail; returns its message in one line."""

    def run(path, code, *arguments, references=small_nircam.references):
        before = path.read_bytes() if Path(path).is_file() else None
        given = [] if references is None else ["--references", references]
        done = cli("run", path, *given, "--out", out, *arguments)
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        assert done.err.startswith("heliodor: ")
        assert not list(out.glob("*")) if out.is_dir() else True
        if before is not None:
            assert path.read_bytes() == before
        return " ".join(done.err.split())

    return run


# ------------------------------------------------------------------ the exposure


def test_missing_file(refused, tmp_path):
    path = tmp_path / "jw_uncal.fits"
    assert f"{path}: there is no such file" in refused(path, EXPOSURE)


def test_folder(refused, tmp_path):
    assert "is a folder; name a FITS file in it" in refused(tmp_path, EXPOSURE)


def test_empty_file(refused, tmp_path):
    path = tmp_path / "jw_uncal.fits"
    path.touch()
    assert f"{path}: is empty" in refused(path, EXPOSURE)


def test_not_fits(refused, tmp_path):
    path = tmp_path / "jw_uncal.fits"
    path.write_text("ceci n'est pas un fichier FITS" * 500)
    message = refused(path, EXPOSURE)
    assert f"{path}: not a FITS file" in message
    assert "_uncal.fits" in message


@pytest.mark.parametrize("size", [1000, 3000, 20_000])
def test_truncated_in_a_header(refused, small_nircam, tmp_path, size):
    path = tmp_path / "jw_uncal.fits"
    path.write_bytes(small_nircam.exposure.read_bytes()[:size])
    message = refused(path, EXPOSURE)
    assert str(path) in message
    assert "broken header" in message or "truncated" in message or "no SCI" in message


@pytest.mark.parametrize("part", [0.3, 0.99])
def test_truncated_in_the_data(refused, small_nircam, tmp_path, part):
    content = small_nircam.exposure.read_bytes()
    path = tmp_path / "jw_uncal.fits"
    path.write_bytes(content[: int(part * len(content))])
    message = refused(path, EXPOSURE)
    assert f"{path}: truncated" in message
    assert "Fetch it again" in message


def test_level_2_file(refused, cli, small_nircam, tmp_path):
    first = cli(
        "run", small_nircam.exposure, "--references", small_nircam.references,
        "--out", tmp_path / "first", "--json",
    )  # fmt: skip
    rate = Path(json.loads(first.out)[0]["products"]["rate"])
    message = refused(rate, EXPOSURE)
    assert f"{rate}: is of level rate" in message
    assert "uncal or ramp" in message


def test_instrument_that_is_not_installed(refused, copied, small_nircam):
    path = copied(small_nircam, INSTRUME="NEWCAM", DETECTOR="NEW1", EXP_TYPE="NEW_IMAGE")
    message = refused(path, WRONG)
    assert str(path) in message
    assert "pip install heliodor-newcam" in message
    assert "NIRCAM, NIRISS" in message


def test_unknown_exp_type(refused, copied, small_nircam):
    path = copied(small_nircam, EXP_TYPE="NRC_HOLIDAY")
    message = refused(path, WRONG)
    assert str(path) in message
    assert "No mode of NIRCAM has EXP_TYPE NRC_HOLIDAY" in message


@pytest.mark.parametrize("name", ["READPATT", "NGROUPS", "TGROUP"])
def test_missing_keyword(refused, copied, small_nircam, name):
    path = copied(small_nircam, **{name: None})
    assert f"{path}: lacks the keyword(s) {name}" in refused(path, EXPOSURE)


def test_keyword_that_contradicts_the_data(refused, copied, small_nircam):
    path = copied(small_nircam, NGROUPS=7)
    assert f"{path}: NGROUPS = 7, but SCI holds 6 groups" in refused(path, EXPOSURE)


# ------------------------------------------------------------------ references


@pytest.fixture
def references(small_nircam, tmp_path):
    """The exposure's references, to be spoiled."""
    return Path(shutil.copytree(small_nircam.references, tmp_path / "references"))


def test_no_references_at_all(refused, small_nircam):
    message = refused(small_nircam.exposure, REFERENCE, references=None)
    assert f"{small_nircam.exposure}: reference files are missing" in message
    assert "superbias for INSTRUME=NIRCAM, DETECTOR=NRCA1" in message
    assert "needed by dark_current" in message
    assert "--references DIR" in message
    assert "--ref TYPE=FILE" in message


def test_one_missing_reference(refused, small_nircam, references):
    (dark,) = references.glob("*_dark.fits")
    dark.unlink()
    message = refused(small_nircam.exposure, REFERENCE, references=references)
    assert "dark for INSTRUME=NIRCAM, DETECTOR=NRCA1" in message
    assert "none of this type" in message
    assert str(references) in message
    assert "superbias for" not in message


def test_reference_for_something_else(refused, small_nircam, references):
    (mask,) = references.glob("*_mask.fits")
    fits.setval(mask, "DETECTOR", value="NRCB4")
    message = refused(small_nircam.exposure, REFERENCE, references=references)
    assert f"{mask.name}: for DETECTOR NRCB4, not NRCA1" in message


def test_folder_of_references_that_is_not_there(refused, small_nircam, tmp_path):
    message = refused(small_nircam.exposure, REFERENCE, references=tmp_path / "nowhere")
    assert f"{tmp_path / 'nowhere'}: there is no such folder" in message


def test_reference_of_a_wrong_shape(refused, small_nircam, references):
    (gain,) = references.glob("*_gain.fits")
    with fits.open(gain, mode="update") as hdus:
        hdus["SCI"].data = np.ones((20, 30), np.float32)
    message = refused(small_nircam.exposure, REFERENCE, references=references)
    assert str(small_nircam.exposure) in message
    assert "jump" in message
    assert f"{gain}: SCI of this gain reference is 30 x 20 pixels" in message
    assert "64 x 64" in message


def test_truncated_reference(refused, small_nircam, references):
    (superbias,) = references.glob("*_superbias.fits")
    content = superbias.read_bytes()
    superbias.write_bytes(content[:12_000])
    message = refused(small_nircam.exposure, REFERENCE, references=references)
    assert str(superbias) in message
    assert "truncated" in message


def test_unreadable_file_among_the_references(refused, small_nircam, references):
    (superbias,) = references.glob("*_superbias.fits")
    superbias.write_bytes(b"\0" * 10_000)
    message = refused(small_nircam.exposure, REFERENCE, references=references)
    assert "superbias for INSTRUME=NIRCAM" in message
    assert f"{superbias.name}: not a readable FITS file" in message


def test_named_reference_that_is_not_fits(refused, small_nircam, tmp_path):
    path = tmp_path / "dark.fits"
    path.write_text("dark and empty" * 1000)
    message = refused(small_nircam.exposure, REFERENCE, "--ref", f"dark={path}")
    assert "dark_current" in message
    assert f"{path}: not a readable dark reference file" in message


def test_reference_without_its_extension(refused, small_nircam, tmp_path):
    path = tmp_path / "linearity.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.ones((5, 64, 64)), name="OTHER")]).writeto(
        path
    )
    message = refused(small_nircam.exposure, REFERENCE, "--ref", f"linearity={path}")
    assert f"{path}: this linearity reference has no COEFFS extension" in message


def test_named_reference_that_is_not_there(refused, small_nircam, tmp_path):
    message = refused(small_nircam.exposure, REFERENCE, "--ref", f"gain={tmp_path / 'gain.fits'}")
    assert f"{tmp_path / 'gain.fits'}: there is no such file (--ref gain=...)" in message


# ------------------------------------------------------------------ what the user asks for


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-p", "jmp.rejection_threshold=5"), ("no step 'jmp'", "Did you mean 'jump'?")),
        (
            ("-p", "jump.rejection_treshold=5"),
            ("no parameter of jump 'rejection_treshold'", "Did you mean 'rejection_threshold'?"),
        ),
        (("-p", "save_calibrated_rampe=true"), ("Did you mean 'save_calibrated_ramp'?",)),
        (("-p", "save_calibrated_ramp=5"), ("save_calibrated_ramp = 5 is not allowed",)),
        (
            ("-p", "jump.rejection_threshold=-1"),
            ("jump.rejection_threshold = '-1'", "command line, -p", "at least 0", "Default: 4.0"),
        ),
        (
            ("-p", "jump.rejection_threshold=high"),
            ("jump.rejection_threshold = 'high'", "a number, at least 0"),
        ),
        (("-p", "jump.minimum_groups=2.5"), ("jump.minimum_groups = '2.5'", "a whole number")),
        (("-p", "jump.skip=perhaps"), ("jump.skip = 'perhaps'", "true or false")),
        (("-p", "jump"), ("'jump' is not of the form -p STEP.NAME=VALUE",)),
        (("--skip", "jumps"), ("no step 'jumps'", "Did you mean 'jump'?")),
        (("--ref", "drak=dark.fits"), ("no reference type", "Did you mean 'dark'?")),
        (("--ref", "dark"), ("'dark' is not of the form --ref TYPE=FILE",)),
        (("--threads", "0"), ("--threads takes a whole number of at least 1, not '0'",)),
        (("--thraeds", "2"), ("no option of heliodor run '--thraeds'", "'--threads'")),
    ],
)  # fmt: skip
def test_wrong_argument(refused, small_nircam, arguments, said):
    message = refused(small_nircam.exposure, WRONG, *arguments)
    for part in said:
        assert part in message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: calwebb_detector1\nedits:\n  - remove: jmp\n", ("mine.yaml:3", "'jump'")),
        ("extends: calwebb_detector1\nedits:\n  - removes: jump\n", ("mine.yaml:3", "remove")),
        ("extends: calwebb_detektor1\nedits: []\n", ("calwebb_detector1",)),
        (
            "extends: calwebb_detector1\nedits:\n  - set: {jump.rejection_threshold: -3}\n",
            ("mine.yaml:3", "user file", "at least 0"),
        ),
        ("extends: [\n", ("mine.yaml",)),
        ("", ("mine.yaml",)),
        (
            "name: mine\nfor: {stage: 1, instrument: NIRISS}\nin: uncal\nsteps: [ramp_fit]\n",
            ("mine is not for this exposure", "NIRISS"),
        ),
    ],
)
def test_wrong_pipeline_file(refused, small_nircam, tmp_path, text, said):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    message = refused(small_nircam.exposure, WRONG, "--pipeline", path)
    for part in said:
        assert part in message


def test_pipeline_file_that_is_not_there(refused, small_nircam, tmp_path):
    message = refused(small_nircam.exposure, WRONG, "--pipeline", tmp_path / "mine.yaml")
    assert str(tmp_path / "mine.yaml") in message


def test_what_is_not_there_yet(refused, small_nircam, monkeypatch):
    def prepare(step, ramp, refs):
        raise NotYetError("levitation is not there yet")

    monkeypatch.setattr(SuperBias, "prepare", prepare)
    message = refused(small_nircam.exposure, NOT_YET)
    assert "superbias: levitation is not there yet" in message


# ------------------------------------------------------------------ the output


def test_output_folder_under_a_file(refused, small_nircam, tmp_path):
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "products"
    message = refused(small_nircam.exposure, OUTPUT, "--out", place)
    assert f"{place}: products cannot be written here" in message
    assert "--out" in message


def test_full_disk(refused, small_nircam, monkeypatch):
    def full(self):
        yield b"\0" * 2880
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(stream.Encoded, "chunks", full)
    message = refused(small_nircam.exposure, OUTPUT)
    assert "_rate.fits: the disk (or your quota) is full: the product needs" in message


def test_file_larger_than_the_system_allows(small_nircam, out):
    """A limit of the system is met in the middle of a file."""
    code = """
import resource, sys
from heliodor.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
sys.exit(main(sys.argv[1:]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "run", small_nircam.exposure, "--references",
         small_nircam.references, "--out", out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == OUTPUT, done.stderr
    assert "_rate.fits: cannot be written: File too large" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not list(out.iterdir())


def test_a_product_never_replaces_its_own_input(cli, small_nircam, out):
    given = "--references", small_nircam.references, "-p", "save_calibrated_ramp=true"
    assert cli("run", small_nircam.exposure, *given, "--out", out).code == 0
    (ramp,) = out.glob("*_ramp.fits")
    before = ramp.read_bytes()
    done = cli("run", ramp, *given, "--out", out)
    assert done.code == OUTPUT
    assert f"{ramp}: this product would replace the exposure it is made from" in done.err
    assert ramp.read_bytes() == before


def test_two_exposures_of_one_name(cli, copied, small_nircam, out):
    other = copied(small_nircam)
    done = cli("run", small_nircam.exposure, other, "--out", out)
    assert done.code == WRONG
    assert f"{small_nircam.exposure} and {other} have products of the same name" in done.err
    assert not out.exists()


# ------------------------------------------------------------------ a step that fails


def test_step_that_fails(refused, small_nircam, monkeypatch):
    from heliodor_detector.steps.jump.step import Jump

    def fail(self, data, refs):
        return 1 / 0

    monkeypatch.setattr(Jump, "prepare", fail)
    message = refused(small_nircam.exposure, STEP)
    assert f"{small_nircam.exposure}: jump of heliodor-detector" in message
    assert "failed: ZeroDivisionError: division by zero" in message


# ------------------------------------------------------------------ the end comes early

STOPPED = """
import os, sys
from heliodor import products
from heliodor.cli.main import main
from heliodor.errors import NotYetError
from heliodor.products import stream
from heliodor_detector.steps.superbias.step import SuperBias

chunks = stream.Encoded.chunks

def slow(self):
    for chunk in chunks(self):
        yield chunk
        if sys.argv[1] == "writing":
            print("now", flush=True)
            import time
            time.sleep(60)

stream.Encoded.chunks = slow
if sys.argv[1] == "working":
    from heliodor_detector.steps.jump.step import Jump

    def wait(self, data, refs):
        print("now", flush=True)
        import time
        time.sleep(60)
    Jump.prepare = wait
sys.exit(main(sys.argv[2:]))
"""


@pytest.fixture
def stopped(small_nircam, out):
    """Stop a run half-way; gives exit code and standard error."""

    def stop(when: str, number: int):
        child = subprocess.Popen(
            [sys.executable, "-c", STOPPED, when, "run", small_nircam.exposure, "--references",
             small_nircam.references, "--out", out, "--quiet"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert child.stdout.readline() == "now\n"
        time.sleep(0.1)
        child.send_signal(number)
        _, err = child.communicate(timeout=30)
        return child.returncode, err

    return stop


@pytest.mark.parametrize("when", ["working", "writing"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(stopped, out, when, number):
    code, err = stopped(when, number)
    assert code == INTERRUPTED
    assert "Interrupted" in err
    assert "Traceback" not in err
    assert not list(out.iterdir())


def test_killed_while_writing(stopped, out):
    """Nothing can be tidied up, but no file has a product's name."""
    code, _ = stopped("writing", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not list(out.glob("[!.]*"))
    assert all(path.name.endswith(".part") for path in out.iterdir())


# ------------------------------------------------------------------ several exposures


def test_one_that_fails_does_not_stop_the_others(cli, small_nircam, tmp_path, out):
    empty = tmp_path / "empty_uncal.fits"
    empty.touch()
    done = cli(
        "run", empty, small_nircam.exposure, tmp_path / "absent_uncal.fits", "--references",
        small_nircam.references, "--out", out, "--json",
    )  # fmt: skip
    assert done.code == EXPOSURE
    first, second, third = json.loads(done.out)
    assert first["input"] == str(empty)
    assert "is empty" in first["error"]
    assert set(second["products"]) == {"rate", "rateints"}
    assert "no such file" in third["error"]
    assert "is empty" in done.err
    assert sorted(path.name for path in out.iterdir()) == sorted(
        Path(path).name for path in second["products"].values()
    )


# ------------------------------------------------------------------ data without a slope


@pytest.fixture
def rates(cli, small_nircam, copied, out, planes):
    """Calibrate an exposure that has been spoiled; gives the planes of its rate."""

    def calibrate(change, **keywords):
        path = copied(small_nircam, change=change, **keywords)
        done = cli("run", path, "--references", small_nircam.references, "--out", out, "--json")
        assert done.code == 0, done.err
        (result,) = json.loads(done.out)
        return {name: planes(Path(product)) for name, product in result["products"].items()}

    return calibrate


def test_all_saturated(rates):
    def saturate(hdus):
        hdus["SCI"].data[:] = 65535

    live = np.s_[..., 4:, 4:]  # this window has reference pixels on two edges
    for product in rates(saturate).values():
        assert (product["DQ"][live] & 2 > 0).mean() > 0.99
        assert (product["DQ"][live] & 1 > 0).mean() > 0.99
        assert np.isnan(product["SCI"][live]).mean() > 0.99
        assert not np.isinf(product["SCI"]).any()


def test_one_group(rates):
    def shorten(hdus):
        hdus["SCI"].data = hdus["SCI"].data[:, :1].copy()

    for product in rates(shorten, NGROUPS=1).values():
        assert product["SCI"].shape == product["DQ"].shape
        good = product["DQ"] == 0
        assert np.isfinite(product["SCI"][good]).all()


def test_all_nan(rates):
    def spoil(hdus):
        hdus["SCI"].data = np.full(hdus["SCI"].shape, np.nan, np.float32)

    # as in the operational pipeline, a sample without a value counts as zero in the fit
    for product in rates(spoil, DATAMODL="RampModel").values():
        slopes = product["SCI"][np.isfinite(product["SCI"])]
        assert slopes.size
        assert not slopes.any()
