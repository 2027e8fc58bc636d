"""What the sources of references say of the files they looked at."""

from __future__ import annotations

import pytest
from heliodor.builtin import heliodor_selectors
from heliodor.declare import RefNeed, SelectorSpec
from heliodor.errors import PluginError
from heliodor.references.selectors import (
    Considered,
    Embedded,
    Folder,
    Override,
    Sources,
    ask,
)

GAIN = RefNeed("gain")
EXPOSURE = {
    "INSTRUME": "X",
    "DETECTOR": "X1",
    "SUBARRAY": "FULL",
    "FILTER": "F200W",
    "DATE-OBS": "2025-06-01",
    "TIME-OBS": "12:00:00.0",
}
FILE = {
    "REFTYPE": "GAIN",
    "INSTRUME": "X",
    "DETECTOR": "X1",
    "SUBARRAY": "FULL",
    "USEAFTER": "2022-01-01T00:00:00",
}


def test_a_folder_says_what_was_chosen_and_why_not_the_others(tmp_path, write):
    write("a_best.fits", **FILE, FILTER="F200W")
    write("b_any.fits", **{**FILE, "DETECTOR": "ANY"})
    write("c_filter.fits", **FILE, FILTER="F150W")
    write("d_old.fits", **{**FILE, "USEAFTER": "Jan 01 2015 00:00:00"}, FILTER="F200W")
    write("a_as_good.fits", **FILE, FILTER="F200W")
    write("e_other.fits", **{**FILE, "DETECTOR": "X2"})
    write("f_sub.fits", **{**FILE, "SUBARRAY": "SUB64"})
    write("g_late.fits", **{**FILE, "USEAFTER": "2026-01-01T00:00:00"})
    write("h_undated.fits", **{**FILE, "USEAFTER": "some day"})
    write("another_type.fits", **{**FILE, "REFTYPE": "DARK"})
    folder = Folder(Sources(folders=(tmp_path,)))
    assert folder.select((GAIN,), EXPOSURE)["gain"].path.name == "a_best.fits"
    chosen, *others = folder.considered(GAIN, EXPOSURE)
    assert chosen == Considered("a_best.fits", "DETECTOR=X1, SUBARRAY=FULL", chosen=True)
    assert [(each.name, each.why) for each in others] == [
        ("a_as_good.fits", "fits as well; of equals the last by name is taken"),
        ("d_old.fits", "fits, but is older: USEAFTER JAN 01 2015 00:00:00"),
        ("c_filter.fits", "fits, but fewer of its further keywords are the exposure's"),
        ("b_any.fits", "fits, but says less of the exposure: DETECTOR=ANY"),
        ("g_late.fits", "USEAFTER 2026-01-01T00:00:00 is after the observation, "
                        "2025-06-01T12:00:00.0"),
        ("h_undated.fits", "USEAFTER SOME DAY is not a date"),
        ("f_sub.fits", "for SUBARRAY SUB64, not FULL"),
        ("e_other.fits", "for DETECTOR X2, not X1"),
    ]  # fmt: skip
    assert not any(each.chosen for each in others)


def test_a_folder_can_be_asked_for_what_was_not_selected(tmp_path, write):
    write("dark.fits", **{**FILE, "REFTYPE": "DARK"})
    folder = Folder(Sources(folders=(tmp_path,)))
    (found,) = folder.considered(RefNeed("dark"), EXPOSURE)
    assert found.chosen


def test_an_override_says_which_file(tmp_path, write):
    override = Override(Sources(overrides={"gain": write("mine.fits")}))
    assert override.considered(GAIN, EXPOSURE) == (Considered("mine.fits", "--ref gain", True),)
    assert override.considered(RefNeed("dark"), EXPOSURE) == ()


@pytest.mark.parametrize("there", [True, False])
def test_what_the_exposure_names(tmp_path, write, there):
    if there:
        write("x.fits")
    header = {**EXPOSURE, "R_GAIN": "crds://x.fits"}
    (found,) = Embedded(Sources(exposure=tmp_path / "a_uncal.fits")).considered(GAIN, header)
    assert found.name == "x.fits"
    assert found.chosen is there
    assert Embedded(Sources()).considered(GAIN, EXPOSURE) == ()


def test_all_that_were_asked_are_known_up_to_the_one_that_answered(tmp_path, write):
    write("gain.fits", **FILE)
    wanted = (GAIN, RefNeed("dark"))
    asked = ask(heliodor_selectors(), wanted, EXPOSURE, Sources(folders=(tmp_path,)))
    assert [each.spec.name for each in asked["gain"]] == ["override", "folder"]
    assert [each.spec.name for each in asked["dark"]] == ["override", "folder", "embedded"]
    (found,) = asked["gain"][-1].considered(GAIN, EXPOSURE)
    assert found.chosen


class Mute:
    """A selector that cannot explain itself."""

    def __init__(self, sources):
        pass

    def select(self, wanted, keywords):
        return {}


class Stumbling(Mute):
    """A selector that fails when it explains itself."""

    def considered(self, need, keywords):
        raise ZeroDivisionError


def test_a_selector_need_not_explain_itself():
    (asked,) = ask([SelectorSpec("mute", 5, f"{__name__}:Mute")], (GAIN,), EXPOSURE, Sources())[
        "gain"
    ]
    assert asked.considered(GAIN, EXPOSURE) == ()


def test_one_that_fails_to_explain_itself_is_named():
    spec = SelectorSpec("stumbling", 5, f"{__name__}:Stumbling")
    (asked,) = ask([spec], (GAIN,), EXPOSURE, Sources())["gain"]
    with pytest.raises(PluginError, match=r"the selector stumbling of .* failed"):
        asked.considered(GAIN, EXPOSURE)
