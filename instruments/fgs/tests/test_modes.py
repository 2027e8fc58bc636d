import pytest
from heliodor.plugins import registry
from heliodor_fgs.modes import MODES

EXPECTED = {
    "FGS_IMAGE": ("calwebb_detector1", "calwebb_image2", "calwebb_image3"),
    "FGS_FOCUS": ("calwebb_detector1", "calwebb_image2"),
    "FGS_SKYFLAT": ("calwebb_detector1",),
    "FGS_INTFLAT": ("calwebb_detector1",),
    "FGS_DARK": ("calwebb_dark",),
    **dict.fromkeys(
        ("FGS_ID-STACK", "FGS_ID-IMAGE", "FGS_ACQ1", "FGS_ACQ2", "FGS_TRACK", "FGS_FINEGUIDE"),
        ("calwebb_guider",),
    ),
}


@pytest.mark.parametrize("exp_type", EXPECTED)
def test_every_exposure_type_goes_through_its_pipelines(exp_type):
    mode = registry().recognise({"INSTRUME": "FGS", "EXP_TYPE": exp_type})
    assert mode.name.startswith("fgs-")
    assert tuple(mode.pipelines[stage] for stage in sorted(mode.pipelines)) == EXPECTED[exp_type]


def test_no_exposure_type_is_forgotten_or_in_two_modes():
    listed = [each for mode in MODES for each in mode.match.keywords["EXP_TYPE"]]
    assert sorted(listed) == sorted(EXPECTED)


@pytest.mark.parametrize(
    ("exp_type", "owner"), [("FGS_IMAGE", "heliodor-detector"), ("FGS_ACQ1", "heliodor-fgs")]
)
def test_guide_stars_have_their_own_dq_init(exp_type, owner):
    known = {"heliodor-detector", "heliodor-fgs"}
    offer = registry().choose("dq_init", {"INSTRUME": "FGS", "EXP_TYPE": exp_type}, known)
    assert offer.plugin.distribution == owner
