"""``heliodor refs``: references explained, checked, compared, and indexed."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from heliodor.references import stored
from heliodor.references.checking import Expected, check

SHARED = Path(os.environ.get("HELIODOR_SHARED", Path(__file__).parents[2] / "shared"))
REAL = sorted((SHARED / "data" / "crds_references").glob("*/*.fits"))
REAL_ASDF = sorted((SHARED / "data" / "crds_references").glob("*/*.asdf"))

UNUSABLE = {
    "jwst_niriss_linearity_0011.fits": "COEFFS holds no data",  # without its arrays
    "niriss_ref_photom.fits": "no extension PHOTOM",  # of before 2018
}
"""Real files that no step of today can use, and why."""


@pytest.fixture(scope="module")
def references(small_nircam, simulated):
    """References of two instruments by type."""
    miri = simulated("miri-imaging", size=64, ngroups=5)
    return {**{f"miri_{k}": v for k, v in miri.files.items()}, **small_nircam.files}


def reasons(path: Path, **expected) -> str:
    return "; ".join(str(finding) for finding in check(path, Expected(**expected)).refused)


# ------------------------------------------------------------------ check: good ones


def test_all_simulated_references_are_good(references):
    reports = [check(path) for path in references.values()]
    assert {report.path.name: reasons(report.path) for report in reports if report.refused} == {}
    assert all(report.held and report.type and report.instrument for report in reports)


@pytest.mark.parametrize("path", REAL + REAL_ASDF, ids=lambda path: path.name)
def test_real_references_are_good(path):
    if path.name in UNUSABLE:
        assert UNUSABLE[path.name] in reasons(path)
    else:
        assert reasons(path) == ""
        assert check(path).held


# ------------------------------------------------------------------ check: broken ones


def truncated(path: Path) -> None:
    """Cut a file, and not between two extensions, where what is left would be whole."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 5 - 100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def not_fits(path: Path) -> None:
    path.write_bytes(b"<html>404 Not Found</html>" * 300)


def without_extensions(path: Path) -> None:
    with fits.open(path) as hdus:
        primary = hdus[0].copy()
    primary.writeto(path, overwrite=True)


def keyword(name: str, value: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        fits.setval(path, name, value=value)

    return change


def first(hdus: fits.HDUList) -> int:
    """Number of the first extension that steps read."""
    return next(n for n, h in enumerate(hdus) if n and h.data is not None and h.name != "DQ_DEF")


def misshapen(path: Path) -> None:
    """Give arrays an axis too many, and take the rows from tables."""
    with fits.open(path) as hdus:
        hdu = hdus[first(hdus)]
        hdu.data = hdu.data[:0] if isinstance(hdu, fits.BinTableHDU) else hdu.data[None, None, None]
        hdus.writeto(path, overwrite=True)


def not_a_number(path: Path) -> None:
    """Put NaN where DQ says nothing; fill what may have some bad pixels."""
    with fits.open(path) as hdus:
        hdu = hdus[first(hdus)]
        if isinstance(hdu, fits.BinTableHDU):
            column = next(n for n in hdu.columns.names if hdu.data[n].dtype.kind == "f")
            hdu.data[column].reshape(-1)[0] = np.nan
        elif hdu.name == "DQ":
            hdus["DQ"] = fits.ImageHDU(np.full(hdu.data.shape, np.nan, np.float32), name="DQ")
        elif hdus[0].header["REFTYPE"] == "GAIN":
            hdu.data[...] = np.nan
        else:
            hdu.data[...] = np.where(
                np.arange(hdu.data.size).reshape(hdu.data.shape) % 3, 1, np.nan
            )
        hdus.writeto(path, overwrite=True)


def bad_definitions(path: Path) -> None:
    """Add a DQ_DEF whose values are not those of its bits."""
    rows = [(0, 1, "DO_NOT_USE", ""), (1, 3, "HOT", "")]
    columns = [("BIT", "i4"), ("VALUE", "i4"), ("NAME", "S40"), ("DESCRIPTION", "S80")]
    with fits.open(path) as hdus:
        kept = fits.HDUList([hdu.copy() for hdu in hdus if hdu.name != "DQ_DEF"])
    kept.append(fits.BinTableHDU(np.array(rows, columns), name="DQ_DEF"))
    kept.writeto(path, overwrite=True)


def another_instrument(path: Path) -> None:
    mine = fits.getval(path, "INSTRUME")
    fits.setval(path, "INSTRUME", value="NIRISS" if mine != "NIRISS" else "NIRCAM")


BROKEN = {
    "truncated": (truncated, "truncated|cannot be made out|not a readable FITS file"),
    "empty": (empty, "the file is empty"),
    "not FITS": (not_fits, "not FITS: it does not begin"),
    "no extensions": (without_extensions, "there is no extension .*; it has nothing"),
    "another type": (
        keyword("REFTYPE", "DARK"),
        "no extension|its data model is|what its name|axes and must have",
    ),
    "no type": (keyword("REFTYPE", ""), "no REFTYPE"),
    "another instrument": (another_instrument, "INSTRUME is NIR.*, but its name says"),
    "no instrument at all": (keyword("INSTRUME", "WFC3"), "INSTRUME is WFC3; installed"),
    "no date": (keyword("USEAFTER", "when it is ready"), "USEAFTER 'WHEN IT IS READY' is not"),
    "wrong shape": (misshapen, "axes and must have|has no rows"),
    "NaN": (not_a_number, r"values of .*NaN|holds fractions"),
    "bad DQ_DEF": (bad_definitions, "DQ_DEF: HOT is bit 1, which is not the value 3"),
}


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize(
    "kind",
    [
        "mask", "saturation", "superbias", "linearity", "dark", "gain", "readnoise", "ipc", "flat",
        "miri_dark", "miri_reset", "miri_rscd",
    ],
)  # fmt: skip
def test_a_broken_reference_is_refused_with_the_reason(references, tmp_path, kind, how):
    if (kind, how) in (("dark", "another type"), ("miri_rscd", "NaN")):
        pytest.skip("it is a dark, or a table of whole numbers")
    path = tmp_path / references[kind].name
    shutil.copy(references[kind], path)
    spoil, reason = BROKEN[how]
    spoil(path)
    if how == "another type" and kind in ("miri_dark", "miri_reset"):
        fits.setval(path, "REFTYPE", value="MASK")
    assert re.search(reason, reasons(path)), reasons(path)


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize(
    "real", [path for path in REAL if path.name not in UNUSABLE], ids=lambda path: path.name
)
def test_a_broken_real_reference_is_refused_with_the_reason(real, tmp_path, how):
    if "dark" in real.name and how == "another type":
        pytest.skip("it is a dark")
    path = tmp_path / real.name
    shutil.copy(real, path)
    path.chmod(0o644)
    spoil, reason = BROKEN[how]
    spoil(path)
    assert re.search(reason, reasons(path)), reasons(path)


def text(old: str, new: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        content = path.read_bytes()
        changed = re.sub(old.encode(), new.encode(), content, count=1)
        assert changed != content
        path.write_bytes(changed)

    return change


def half(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"\n...") // 2])


def no_entries(path: Path) -> None:
    import asdf

    with asdf.open(path, lazy_load=False, memmap=False) as file:
        tree = {"meta": {**file["meta"]}}
    path.unlink()
    asdf.AsdfFile(tree).write_to(path)


def not_a_number_in_tree(path: Path) -> None:
    """Make the first number of the tree NaN, or if all stand in blocks all of these."""
    head, mark, blocks = path.read_bytes().partition(b"\n...")
    meta = re.search(rb"^meta:.*\n(?:[ \t\-].*\n|\n)*", head, re.MULTILINE).span()
    number = re.compile(rb"(?<=[ \[])-?\d+\.\d+(e[-+]?\d+)?(?=[,\]}\n ])")
    places = [found.span() for found in number.finditer(head, head.index(b"\n---"))]
    outside = [place for place in places if not meta[0] <= place[0] < meta[1]]
    if outside:
        (start, stop) = outside[0]
        head = head[:start] + b".nan" + head[stop:]
    elif b"\xd3BLK" in blocks:
        start = blocks.index(b"\xd3BLK") + 54
        blocks = blocks[:start] + b"\xff" * 8 + blocks[start + 8 :]
    path.write_bytes(head + mark + blocks)


BROKEN_ASDF = {
    "NaN": (not_a_number_in_tree, "numbers of .* are NaN"),
    "another instrument": (
        text(r"name: (MIRI|NIRCAM|NIRSPEC)([,}\n])", r"name: NIRISS\2"),
        "INSTRUME is NIRISS, but its name says",
    ),
    "truncated": (half, "ends before its tree does"),
    "empty": (empty, "the file is empty"),
    "not ASDF": (not_fits, "not ASDF: it does not begin"),
    "no entries": (no_entries, "there is no entry"),
    "another type": (text(r"reftype: '?\w+'?", "reftype: camera"), "REFTYPE is CAMERA"),
    "no type": (text(r"reftype: '?\w+'?", "reftype: ''"), "no REFTYPE"),
    "no instrument at all": (
        text(r"name: (MIRI|NIRCAM|NIRISS|NIRSPEC)([,}\n])", r"name: WFC3\2"),
        "INSTRUME is WFC3",
    ),
    "no date": (text(r"useafter: .*\n", "useafter: soon\n"), "USEAFTER 'SOON' is not a date"),
    "no instrument": (text(r"\n  instrument:", "\n  instrumen:"), "no INSTRUME"),
    "another data model": (
        text(r"\n  reftype", "\n  model_type: DarkModel\n  reftype"),
        "DarkModel",
    ),
}


@pytest.mark.parametrize("how", BROKEN_ASDF)
@pytest.mark.parametrize("real", REAL_ASDF, ids=lambda path: path.name)
def test_a_broken_real_asdf_reference_is_refused_with_the_reason(real, tmp_path, how):
    if ("camera" in real.name and how == "another type") or (
        ("niriss" in real.name and how == "another instrument")
        or ("regions" in real.name and how == "NaN")
    ):
        pytest.skip("it is a camera, of NIRISS, or of whole numbers")
    path = tmp_path / real.name
    shutil.copy(real, path)
    path.chmod(0o644)
    spoil, reason = BROKEN_ASDF[how]
    spoil(path)
    assert re.search(reason, reasons(path)), reasons(path)


# ------------------------------------------------------------------ check: exposures, command


def test_the_references_of_an_exposure_are_checked(cli, small_nircam, tmp_path):
    shelf = tmp_path / "shelf"
    shutil.copytree(small_nircam.references, shelf)
    done = cli("refs", "check", small_nircam.exposure, "--references", shelf)
    assert (done.code, done.err) == (0, "")
    count = len(
        json.loads(cli("refs", small_nircam.exposure, "--references", shelf, "--json").out)[0][
            "references"
        ]
    )
    assert f"{count} of {count} files can be used" in done.out
    gain = shelf / small_nircam.files["gain"].name
    with fits.open(gain) as hdus:
        hdus["SCI"].data = hdus["SCI"].data[:32]
        hdus["SCI"].header["EXTNAME"] = "SCI"
        hdus[0].header["SUBSIZE2"] = 64
        hdus.writeto(gain, overwrite=True)
    done = cli("refs", "check", small_nircam.exposure, "--references", shelf, "--json")
    assert done.code == 4
    (refused,) = [each for each in json.loads(done.out) if not each["usable"]]
    assert refused["type"] == "gain"
    assert "y must be 64, as SUBSIZE1, SUBSIZE2 says" in refused["refused"][0]
    assert "does not hold the exposure" in refused["refused"][1]


def test_a_reference_of_another_instrument_is_no_reference_of_the_exposure(
    cli, small_nircam, references
):
    done = cli(
        "refs", "check", small_nircam.exposure, "--references", small_nircam.references,
        "--ref", f"gain={references['miri_gain']}", "--type", "gain", "--json",
    )  # fmt: skip
    (report,) = json.loads(done.out)
    assert done.code == 4
    assert "the exposure is of NIRCAM" in "; ".join(report["refused"])


def test_what_is_missing_is_said(cli, small_nircam, tmp_path):
    (tmp_path / "none").mkdir()
    done = cli("refs", "check", small_nircam.exposure, "--references", tmp_path / "none", "--json")
    assert done.code == 4
    assert all("missing" in each["refused"][0] for each in json.loads(done.out))


def test_check_of_a_file_of_another_type_than_asked_for(cli, small_nircam):
    done = cli("refs", "check", "--type", "dark", small_nircam.files["gain"])
    assert done.code == 4
    assert "REFTYPE is GAIN, and not DARK, asked for" in " ".join(done.out.split())


def test_check_goes_on_after_an_exposure_that_cannot_be_planned(cli, small_nircam, tmp_path):
    strange = tmp_path / "strange_uncal.fits"
    shutil.copy(small_nircam.exposure, strange)
    fits.setval(strange, "EXP_TYPE", value="NRC_NOTHING")
    done = cli("refs", "check", strange, small_nircam.files["gain"])
    assert done.code == 2
    assert "NRC_NOTHING" in done.err
    assert "1 of 1 files can be used" in done.out


def test_a_damaged_header_is_refused(tmp_path, references):
    path = tmp_path / references["gain"].name
    content = references["gain"].read_bytes()
    path.write_bytes(
        content.replace(b"BITPIX  =                  -32", b"BITPIX  =                  -31")
    )
    assert "cannot be made out" in reasons(path)


@pytest.mark.parametrize(
    ("kind", "extension", "change", "reason"),
    [
        ("superbias", "SCI", lambda hdu: hdu.header.set("BUNIT", "DN/s"), "SCI is in DN/s; it"),
        ("superbias", "DQ", lambda hdu: setattr(hdu, "data", hdu.data[:9]), "y must be 64"),
        ("dark", "SCI", lambda hdu: setattr(hdu, "data", hdu.data[0]), "2 axes and must have 3"),
        ("ipc", "SCI", lambda hdu: setattr(hdu, "data", hdu.data[:2]), "k must be 2, as SCI says"),
        ("ipc", "SCI", lambda hdu: hdu.data[0].fill(np.nan), "3 of 9 values of SCI are NaN"),
        ("flat", "SCI", lambda hdu: hdu.data[5].fill(np.nan), "in pixels that DQ does not flag"),
        (
            "miri_rscd", "RSCD_GROUP_SKIP", lambda hdu: hdu.columns.del_col("readpatt"),
            "lacks the column readpatt",
        ),
        ("mask", "DQ_DEF", lambda hdu: hdu.data["NAME"].__setitem__(1, "DO_NOT_USE"), "more than"),
        ("mask", "DQ_DEF", lambda hdu: hdu.data["BIT"].__setitem__(1, 0), "the bit 0 more"),
        ("mask", "DQ_DEF", lambda hdu: setattr(hdu, "data", hdu.data[:0]), "DQ_DEF has no rows"),
    ],
)  # fmt: skip
def test_one_thing_wrong(references, tmp_path, kind, extension, change, reason):
    path = tmp_path / references[kind].name
    with fits.open(references[kind]) as hdus:
        change(hdus[extension])
        hdus.writeto(path)
    assert reason in reasons(path), reasons(path)


def test_what_can_be_used_all_the_same_is_noted(references, tmp_path):
    path = tmp_path / references["superbias"].name
    with fits.open(references["superbias"]) as hdus:
        del hdus["DQ_DEF"]
        del hdus["SCI"].header["BUNIT"]
        hdus["DQ"].data[0, 0] = 1
        hdus["SCI"].data[0, 0] = np.nan
        hdus.writeto(path)
    report = check(path)
    assert not report.refused
    said = "; ".join(map(str, report.findings))
    assert "SCI has no BUNIT: it is taken to be in DN" in said
    assert "there is no DQ_DEF: the bits of DQ are the pipeline's own" in said


def test_what_nothing_installed_knows_is_noted(tmp_path):
    path = tmp_path / "odd.fits"
    header = fits.Header({"REFTYPE": "ODD", "INSTRUME": "NIRCAM", "DETECTOR": "NRCA9"})
    fits.HDUList([fits.PrimaryHDU(header=header)]).writeto(path)
    report = check(path)
    assert not report.refused
    said = "; ".join(map(str, report.findings))
    assert "nothing installed says what such files hold" in said
    assert "DETECTOR is NRCA9, and not NIRCAM" in said
    assert "there is no USEAFTER" in said


# ------------------------------------------------------------------ refs FILE


@pytest.fixture
def about(cli, small_nircam):
    """Explain the references of the exposure; gives them by type."""

    def about(*arguments, code=0, references=small_nircam.references):
        done = cli("refs", small_nircam.exposure, "--references", references, "--json", *arguments)
        assert done.code == code, done.err
        (found,) = json.loads(done.out)
        return {each["type"]: each for each in found["references"]}

    return about


def test_each_type_has_its_file_selector_and_rule(about, small_nircam):
    found = about()
    gain = found["gain"]
    assert gain["file"] == str(small_nircam.files["gain"])
    assert gain["selector"] == "folder"
    assert gain["steps"] == ["jump", "ramp_fit", "gain_scale"]
    assert gain["why"].startswith("keywords DETECTOR=NRCA1")
    assert {"mask", "saturation", "superbias", "linearity", "dark", "readnoise"} <= set(found)


def test_what_was_not_chosen_is_said_with_the_reason(about, small_nircam, tmp_path):
    shelf = tmp_path / "shelf"
    shutil.copytree(small_nircam.references, shelf)
    other = shutil.copy(small_nircam.files["gain"], shelf / "other_gain.fits")
    fits.setval(other, "DETECTOR", value="NRCB4")
    gain = about(references=shelf)["gain"]
    override, folder = gain["asked"]
    assert (override["selector"], override["why"]) == ("override", "no --ref")
    assert [each["chosen"] for each in folder["considered"]] == [True, False]
    assert folder["considered"][1] == {
        "file": "other_gain.fits", "chosen": False, "why": "for DETECTOR NRCB4, not NRCA1",
    }  # fmt: skip


def test_the_table_names_files_and_reasons(cli, small_nircam, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    done = cli(
        "refs", small_nircam.exposure, "--references", small_nircam.references, "--ref", "dark=N/A"
    )
    said = " ".join(done.out.split())
    assert "calwebb_detector1" in said
    assert "dark N/A override --ref says N/A" in said
    assert f"{small_nircam.files['gain'].name} folder DETECTOR=NRCA1" in said


def test_a_missing_reference_has_an_exit_code(about, cli, small_nircam, tmp_path):
    (tmp_path / "none").mkdir()
    found = about("--type", "gain", code=4, references=tmp_path / "none")
    assert list(found) == ["gain"]
    assert found["gain"]["answer"] == "Unknown"
    assert [source["selector"] for source in found["gain"]["asked"]][:2] == ["override", "folder"]


def test_an_unknown_type_gets_the_nearest(cli, small_nircam):
    done = cli(
        "refs", small_nircam.exposure, "--references", small_nircam.references, "--type", "gian"
    )
    assert done.code == 2
    assert "'gain'" in done.err


def test_parameter_references_are_explained(about, small_nircam, tmp_path):
    import asdf

    meta = {
        "reftype": "pars-jumpstep", "useafter": "2020-01-01T00:00:00",
        "instrument": {"name": "NIRCAM"},
    }  # fmt: skip
    shelf = tmp_path / "shelf"
    shutil.copytree(small_nircam.references, shelf)
    tree = {"meta": meta, "class": "jwst.jump.JumpStep", "name": "jump", "parameters": {}}
    asdf.AsdfFile(tree).write_to(shelf / "pars.asdf")
    assert about(references=shelf)["pars-jumpstep"]["file"] == str(shelf / "pars.asdf")
    assert "pars-jumpstep" not in about()
    (found,) = about("--type", "pars-jumpstep").values()
    assert (found["answer"], found["needed"]) == ("Unknown", False)


# ------------------------------------------------------------------ refs index


def test_index(cli, small_nircam, tmp_path):
    shelf = tmp_path / "shelf"
    shutil.copytree(small_nircam.references, shelf)
    (shelf / "torn.fits").write_bytes(b"SIMPLE")
    done = cli("refs", "index", shelf, "--json")
    (said,) = json.loads(done.out)
    assert said["index"] == str(shelf / stored.NAME)
    assert said["unreadable"] == [str(shelf / "torn.fits")]
    assert said["files"] == len([*shelf.glob("*.*")]) - 1
    assert (shelf / stored.NAME).is_file()
    assert "torn.fits" in cli("refs", "index", shelf).out
    assert cli("refs", "index", tmp_path / "nowhere").code == 4


# ------------------------------------------------------------------ refs diff


class Ruled:
    """A source with two contexts."""

    def __init__(self, sources):
        self.sources = sources

    def select(self, wanted, keywords):
        from heliodor.references.selectors import Found, NotApplicable

        rules = {
            "ctx_0001.pmap": {"gain": Found(Path("gain_0001.fits"), "rule")},
            "ctx_0002.pmap": {
                "gain": Found(
                    Path("gain_0002.fits"), "rule", self.sources.context, fetch="nowhere:fetch"
                ),
                "dark": NotApplicable("rule"),
            },
        }
        return rules.get(self.sources.context, {})


@pytest.fixture
def ruled(monkeypatch):
    """Put a selector with contexts before the folder."""
    from heliodor.declare import SelectorSpec
    from heliodor.plugins import registry

    spec = SelectorSpec("ruled", 50, f"{__name__}:Ruled", types=("gain", "dark"))
    known = registry().selectors
    monkeypatch.setattr(registry(), "selectors", sorted([*known, spec], key=lambda s: s.rank))


def test_diff_says_which_types_change(cli, small_nircam, small_niriss, ruled):
    done = cli(
        "refs", "diff", "ctx_0001.pmap", "ctx_0002.pmap", small_nircam.exposure,
        "--references", small_nircam.references, "--json",
    )  # fmt: skip
    assert done.code == 0
    (found,) = json.loads(done.out)
    assert found["input"] == str(small_nircam.exposure)
    dark = small_nircam.files["dark"].name
    assert found["changed"] == {
        "dark": {"ctx_0001.pmap": dark, "ctx_0002.pmap": "N/A"},
        "gain": {"ctx_0001.pmap": "gain_0001.fits", "ctx_0002.pmap": "gain_0002.fits"},
    }


def test_diff_of_one_type_and_of_none(cli, small_nircam, ruled, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    where = (small_nircam.exposure, "--references", small_nircam.references)
    done = cli("refs", "diff", "ctx_0001.pmap", "ctx_0002.pmap", *where, "--type", "gain")
    assert "gain_0001.fits" in done.out
    assert "N/A" not in done.out
    assert "1 of 1 exposures change" in done.out
    done = cli("refs", "diff", "ctx_0001.pmap", "ctx_0001.pmap", *where)
    assert (done.code, done.out.strip()) == (0, "0 of 1 exposures change")


def test_the_context_is_given_to_the_sources_and_shown(about, cli, small_nircam, ruled):
    gain = about("--context", "ctx_0002.pmap")["gain"]
    assert (gain["file"], gain["context"]) == ("gain_0002.fits", "ctx_0002.pmap")
    where = (small_nircam.exposure, "--references", small_nircam.references)
    done = cli("refs", *where, "--context", "ctx_0002.pmap", "--type", "gain")
    assert "ctx_0002.pmap" in done.out


def test_what_is_still_to_be_fetched_cannot_be_checked(cli, small_nircam, ruled):
    where = (small_nircam.exposure, "--references", small_nircam.references)
    done = cli("refs", "check", *where, "--context", "ctx_0002.pmap", "--type", "gain", "--json")
    (report,) = json.loads(done.out)
    assert (done.code, report["refused"]) == (4, ["not here yet: a run fetches it"])


@pytest.mark.parametrize("words", [("diff", "a", "b"), ("check",), ("index",)])
def test_what_is_missing_on_the_command_line(cli, words):
    done = cli("refs", *words)
    assert done.code == 2
    assert f"something is missing after '{words[0]}'" in done.err
    assert "refs diff" in done.err
