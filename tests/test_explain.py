"""`heliodor explain`: value, unit, range, meaning, and who has said what."""

from __future__ import annotations

import json

import heliodor
import pytest
from heliodor import explain
from heliodor.errors import UsageError
from heliodor.layers import LAYERS

EDITS = """\
extends: calwebb_detector1
edits:
  - set: {jump.rejection_threshold: 6, option.save_calibrated_ramp: true}
  - set: {jump.rejection_threshold: 7}
    when: {instrument: MIRI}
"""
PARS = """\
#ASDF 1.0.0
#ASDF_STANDARD 1.5.0
%YAML 1.1
%TAG ! tag:stsci.edu:asdf/
---
class: jwst.jump.jump_step.JumpStep
meta:
  {telescope: JWST, reftype: pars-jumpstep, instrument: {name: NIRCAM}, useafter: '2022-01-01'}
parameters: {rejection_threshold: 5.0}
...
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mine.yaml").write_text(EDITS)
    (tmp_path / "pars-jump.asdf").write_text(PARS)
    return tmp_path


@pytest.fixture
def asked(folder, small_nircam):
    return {
        "folders": (small_nircam.references, folder),
        "pipeline": folder / "mine.yaml",
        "parameters": {"jump.rejection_threshold": "8", "jump.minimum_groups": 3},
    }


def said(explained):
    return [(say.layer, say.value, say.verdict) for say in explained.said]


def test_what_every_layer_says(small_nircam, asked):
    (cut,) = explain("jump.rejection_threshold", small_nircam.exposure, **asked)
    assert (cut.step, cut.parameter, cut.distribution) == (
        "jump",
        "rejection_threshold",
        "heliodor-detector",
    )
    assert (cut.value, cut.default, cut.unit) == (8.0, 4.0, "sigma")
    assert cut.allowed == "a number, at least 0 [sigma]"
    assert cut.description
    assert said(cut) == [
        ("declared default", 4.0, "overruled"),
        ("parameter reference", 5.0, "overruled"),
        (
            "user file",
            7,
            "not for this exposure: only when INSTRUME is MIRI; here INSTRUME is NIRCAM",
        ),
        ("user file", 6, "overruled"),
        ("Python", "8", "counts"),
    ]
    where = [say.where for say in cut.said]
    assert where[0].endswith("steps.jump.params.JumpParams")
    assert where[1:] == ["pars-jump.asdf", "mine.yaml:4", "mine.yaml:3", "parameters"]


def test_the_verdict_is_the_plans(small_nircam, asked):
    """Whatever is explained, one place counts, and it gives the value that will be used."""
    planned = heliodor.plan(small_nircam.exposure, **asked)
    for step in {each.label: each for each in planned.steps}.values():
        for each in explain(step.label, small_nircam.exposure, **asked):
            (counts,) = (say for say in each.said if say.verdict == "counts")
            assert each.value == getattr(step.params, each.parameter)
            if each.parameter != "skip":
                origin = step.origins.get(each.parameter)
                assert counts.layer == (origin.layer if origin else LAYERS[0])


def test_a_default_and_a_mode(small_nircam):
    (method,) = explain("ramp_fit.algorithm", small_nircam.exposure)
    assert said(method) == [("declared default", "OLS_C", "counts")]
    (skip,) = explain("persistence.skip", small_nircam.exposure)
    assert skip.value is True
    assert said(skip)[-1] == ("mode", True, "counts")


def test_an_option_of_the_pipeline(small_nircam, asked):
    (option,) = explain("option.save_calibrated_ramp", small_nircam.exposure, **asked)
    assert option.value is True
    assert said(option) == [("mode", False, "overruled"), ("user file", True, "counts")]
    asked = {"parameters": {"save_calibrated_ramp": "true"}}
    (option,) = explain("option.save_calibrated_ramp", small_nircam.exposure, **asked)
    assert said(option)[-1] == ("Python", "true", "counts")
    with pytest.raises(UsageError, match="give the file of an exposure"):
        explain("option.save_calibrated_ramp")
    with pytest.raises(UsageError, match="give its file"):
        explain("jump.rejection_threshold", pipeline="mine.yaml")


def test_without_an_exposure():
    explained = explain("ramp_fit.suppress_one_group")
    assert {each.distribution for each in explained} == {"heliodor-detector", "heliodor-miri"}
    (skip,) = explain("firstframe.skip")
    assert said(skip)[0] == ("declared default", True, "")
    layer, value, verdict = said(skip)[-1]
    assert (layer, value) == ("mode", True)
    assert "INSTRUME is MIRI" in verdict
    assert skip.said[-1].where.endswith(" of heliodor-miri")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("jmp.rejection_threshold", "jump"),
        ("jump.rejection_treshold", "rejection_threshold"),
        ("option.save_calibrated_rmap", "save_calibrated_ramp"),
    ],
)
def test_the_nearest_name(small_nircam, name, nearest):
    with pytest.raises(UsageError, match=f"Did you mean '{nearest}'?"):
        explain(name, small_nircam.exposure)
    if "option" not in name:
        with pytest.raises(UsageError, match=f"Did you mean '{nearest}'?"):
            explain(name)


def test_a_step_that_this_pipeline_does_not_have(small_nircam):
    with pytest.raises(UsageError, match="no step in calwebb_detector1 'emicorr'"):
        explain("emicorr.skip", small_nircam.exposure)


def test_the_command_line(cli, folder, small_nircam):
    asked = (
        "explain", "jump.rejection_threshold", small_nircam.exposure, "--references", folder,
        "--pipeline", folder / "mine.yaml", "-p", "jump.rejection_threshold=8",
    )  # fmt: skip
    (data,) = json.loads(cli(*asked, "--json").out)
    assert (data["value"], data["unit"]) == (8.0, "sigma")
    assert data["said"][-1] == {
        "layer": "command line",
        "where": "-p",
        "value": "8",
        "verdict": "counts",
    }
    text = " ".join(cli(*asked).out.split())
    assert text.startswith("jump.rejection_threshold = 8.0 sigma")
    assert "takes a number, at least 0 [sigma]; of heliodor-detector" in text
    assert "parameter reference 5.0 overruled pars-jump.asdf" in text
    everywhere = cli("explain", "jump").out
    assert "jump.minimum_groups" in everywhere
    assert "counts" not in everywhere
    done = cli("explain", "jump", "-p", "jump.rejection_threshold=8")
    assert done.code == 2
    assert "give its file" in done.err
