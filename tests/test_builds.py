"""Builds of the operational pipeline: the record as it is shipped, and runs that follow a build."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from heliodor import receipt
from heliodor.builds.history import history
from heliodor.builds.records import Here
from heliodor.documents.facts import facts
from heliodor.documents.shipped import for_exposure
from heliodor.documents.walk import StepUse, walk
from heliodor.engine import load
from heliodor.layers import Layered
from heliodor.plugins import registry

PAGE = """
11.3   | TBD    | Development | TBD      | est. spring 2025 | est. summer 2025 | TBD
11.2   | 1.17.1 | Candidate   | TBD      | 2025-01-03 | est. Mar 2025 | 1321
11.1.1 | 1.16.1 | Operations  | 2024.3.1 | 2024-09-20 | 2024-12-03 | 1303
11.0.1 | 1.15.1 | Archived    | 2024.2.1 | 2024-06-26 | 2024-08-27 | 1293
10.2.1 | 1.14.1 | Archived    | 2024.1.1 | 2024-03-29 | 2024-06-12 | 1240
10.1   | 1.13.4 | Archived    | 2023.4.0 | 2024-01-05 | 2024-02-28 | 1210
10.0.1 | 1.12.5 | Archived    | 2023.3.1 | 2023-10-19 | 2023-12-05 | 1166
9.3.1  | 1.11.4 | Archived    | 2023.2.1 | 2023-08-14 | 2023-08-24 | 1107
9.2    | 1.10.1 | Archived    | 2023.1.1 | 2023-04-13 | 2023-05-23 | 1077
9.1.2  | 1.9.6  | Archived    | 2022.5.2 | 2023-03-09 | 2023-03-15 | 1068
9.0    | 1.8.2  | Archived    | 2022.4.0 | 2022-10-19 | 2022-11-17 | 1017
8.1.2  | 1.7.2  | Archived    | 2022.3.1 | 2022-09-12 | 2022-09-21 | 984
8.1    | 1.6.2  | Archived    | 2022.3.0 | 2022-07-19 | 2022-08-19 | 953
8.0.1  | 1.5.3  | Archived    | 2022.2.1 | 2022-06-20 | 2022-06-30 | 913
"""
"""The observatory's page of builds, January 2025."""

SINCE = """
13.0   | 3.0.0  | 2026.1.0 | 2026-07-09 |            | 1581
12.3.1 | 2.0.1  | 2026.1.0 | 2026-05-06 |            | 1533
12.1.1 | 1.20.2 | 2025.4.1 | 2025-10-31 |            | 1464
12.0.2 | 1.19.2 | 2025.3.0 | 2025-09-11 | 2025-10-06 | 1408
11.3.1 | 1.18.1 | 2025.2.1 | 2025-06-10 |            | 1364
11.3   | 1.18.0 | 2025.2.0 | 2025-04-01 | 2025-05-20 | 1364
11.2   | 1.17.1 | 2025.1.0 | 2025-01-03 | 2025-03-05 | 1321
"""
"""What the table in jwst 3.0.0 has that the page could not have."""

AFFECTED = ["MIRI LRS", "MIRI MRS", "NIRCam WFSS", "NIRSpec FS", "NIRSpec IFU", "all TSO"]
ROWS = {
    "R-00a", "R-00b", "R-00c", "R-00d", "R-00e",
    *(f"R-{number:02}" for number in (*range(1, 37), *range(40, 49), *range(57, 61))),
    *(f"B-{number:02}" for number in range(3, 28)),
}  # fmt: skip
"""Of the checklist; B-01 and B-02 are the table itself."""


def table(text):
    return [tuple(cell.strip() for cell in line.split("|")) for line in text.strip().splitlines()]


@pytest.fixture(scope="module")
def builds():
    return history(registry())


# ------------------------------------------------------------------ the record


@pytest.mark.parametrize("row", table(PAGE), ids=lambda row: row[0])
def test_b02_every_row_of_the_page(builds, row):
    build = builds.builds[row[0]]
    names = ("jwst", "status", "sdp", "candidate", "operations", "crds")
    assert row[1:] == tuple(build.page.get(name, str(getattr(build, name))) for name in names)


@pytest.mark.parametrize("row", table(SINCE), ids=lambda row: row[0])
def test_b02_what_came_after_the_page(builds, row):
    build = builds.builds[row[0]]
    names = ("jwst", "sdp", "candidate", "operations", "crds")
    assert row[1:] == tuple(str(getattr(build, name)) for name in names)


def test_b02_there_are_no_other_builds(builds):
    assert list(builds.builds) == list(dict.fromkeys(row[0] for row in table(SINCE + PAGE.strip())))


def test_b01_kinds_of_build_and_the_recommended_one(builds):
    status = {name: build.status for name, build in builds.builds.items()}
    assert [name for name, kind in status.items() if kind == "Operations"] == ["12.0.2"]
    assert [name for name, kind in status.items() if kind == "Candidate"] == [
        "13.0", "12.3.1", "12.1.1",
    ]  # fmt: skip
    page = {name: build.page.get("status", build.status) for name, build in builds.builds.items()}
    assert [page[name] for name in ("11.3", "11.2", "11.1.1")] == [
        "Development", "Candidate", "Operations",
    ]  # fmt: skip


def test_b03_packages_that_builds_need(builds):
    needs = {name: build.needs for name, build in builds.builds.items() if build.needs}
    assert needs == {"11.1.1": {"gwcs": "0.21.0"}, "11.0.1": {"gwcs": "0.21.0"}}


def test_b04_contexts_are_fixed_since_11_1(builds):
    assert builds.find("11.1").context == "jwst_1303.pmap"
    assert builds.find("8.1").context == "jwst_0953.pmap"
    fixed = [name for name, build in builds.builds.items() if build.crds_fixed]
    assert fixed == ["13.0", "12.3.1", "12.1.1", "12.0.2", "11.3.1", "11.3", "11.2", "11.1.1"]


def test_r00a_identity_of_9_3(builds):
    build = builds.find("9.3")
    assert (build.name, build.operations, build.sdp) == ("9.3.1", "2023-08-24", "2023.2.1")
    assert build.releases == ("1.11.0", "1.11.1", "1.11.2", "1.11.3", "1.11.4")
    assert build.context == "jwst_1107.pmap"


def test_r00b_data_that_9_3_affects(cli):
    (described,) = [json.loads(cli("builds", "9.3", "--json").out)]
    assert described["affects"] == AFFECTED
    assert json.loads(cli("whatsnew", "9.3", "--json").out)["to"]["affects"] == AFFECTED
    assert ", ".join(AFFECTED) in " ".join(cli("whatsnew", "9.2", "9.3").out.split())


def test_every_row_of_the_checklist_is_on_record(builds):
    records = [source.record for source in builds.sources]
    found = {
        row for record in records for each in (*record.builds, *record.changes) for row in each.rows
    }
    assert found == ROWS


def test_every_change_is_of_a_release_that_was_in_a_build(builds):
    known = {release for build in builds.builds.values() for release in build.releases}
    for source in builds.sources:
        for change in source.record.changes:
            assert not change.jwst or change.jwst in known, change.place


def test_what_is_called_missing_is_missing(builds):
    """Of steps that no plugin offers, nothing is said to be done, and the reverse."""
    there = set(registry().steps)
    assert {"both", "new"} < set(Here.__args__)
    for source in builds.sources:
        for change in source.record.changes:
            if change.here in ("both", "new"):
                assert change.step in there, change.place


# ------------------------------------------------------------------ every build, every mode

VARIANTS = (
    {},
    {"NFRAMES": 4, "EXSEGNUM": 2},
    {"MSTR_RD1": 1, "SSTR_NST": 2},
    {"INSTRUME": "NIRSPEC", "READPATT": "NRSIRS2"},
    {"INSTRUME": "NIRSPEC", "SUBARRAY": "SUB512"},
)
"""What, beside mode and build, decides about changes and about implementations of steps."""


def exposures():
    """A mode of each pipeline of each instrument, and keywords of exposures of it."""
    found = {
        (mode.instrument, mode.pipelines[1]): mode
        for mode in registry().modes.values()
        if 1 in mode.pipelines
    }
    for (instrument, _), mode in sorted(found.items()):
        base = {"INSTRUME": instrument, "EXP_TYPE": mode.match.keywords["EXP_TYPE"][0]}
        for more in VARIANTS:
            if more.get("INSTRUME", instrument) == instrument:
                yield mode, {"NFRAMES": 1, **base, **more}


def parameters(mode, keywords, build):
    """Plan the steps of an exposure as a build does; gives each with its parameters."""
    plugins = registry()
    known = facts(keywords, stage=1, shape={"ngroups": 5}, mode={"name": mode.name}, option={})
    trusted = {plugins.owner(mode).distribution, *mode.providers}
    profile = history(plugins).profile(build, trusted) if build else None
    document = for_exposure(plugins, mode, 1, known, (), profile).document
    found = {}
    for use in walk(document, known):
        if isinstance(use, StepUse):
            layers = Layered()
            layers.add_settings(use.label, use.settings)
            offer = plugins.choose(use.step, keywords, trusted | {"heliodor-detector"})
            found[use.label] = layers.resolve(use.label, load(offer.spec.params))[0]
    return found


@pytest.mark.parametrize("build", ["8.0", "9.3", "10.1", "11.1", "12.0", "13.0"])
def test_a_build_applies_to_every_pipeline(build):
    """Every edit finds its step, and every value is one that the step takes."""
    for mode, keywords in exposures():
        assert "dq_init" in parameters(mode, keywords, build)


def mode_of(instrument, exp_type, **more):
    keywords = {"INSTRUME": instrument, "EXP_TYPE": exp_type, "NFRAMES": 1, **more}
    return registry().recognise(keywords), keywords


ORDERS = {
    ("9.3", "NIRCAM", "NRC_IMAGE"): (
        "group_scale dq_init saturation ipc superbias refpix linearity persistence dark_current "
        "jump charge_migration ramp_fit gain_scale"
    ),
    ("9.3", "NIRSPEC", "NRS_IFU"): (
        "group_scale dq_init saturation ipc superbias refpix linearity dark_current "
        "jump charge_migration ramp_fit gain_scale"
    ),
    ("9.3", "MIRI", "MIR_IMAGE"): (
        "group_scale dq_init saturation ipc firstframe lastframe reset linearity rscd dark_current "
        "refpix jump charge_migration ramp_fit gain_scale"
    ),
    ("9.1", "NIRISS", "NIS_IMAGE"): (
        "group_scale dq_init saturation ipc superbias refpix linearity persistence dark_current "
        "jump ramp_fit gain_scale"
    ),
    ("10.0", "NIRCAM", "NRC_IMAGE"): (
        "group_scale dq_init saturation ipc superbias refpix linearity persistence dark_current "
        "charge_migration jump ramp_fit gain_scale"
    ),
    ("10.1", "MIRI", "MIR_MRS"): (
        "group_scale dq_init emicorr saturation ipc firstframe lastframe reset linearity rscd "
        "dark_current refpix charge_migration jump ramp_fit gain_scale"
    ),
    ("11.1", "NIRCAM", "NRC_IMAGE"): (
        "group_scale dq_init saturation ipc superbias refpix linearity persistence dark_current "
        "charge_migration jump clean_flicker_noise ramp_fit gain_scale"
    ),
    ("12.3", "NIRSPEC", "NRS_IFU"): (
        "group_scale dq_init saturation ipc superbias refpix linearity dark_current "
        "charge_migration jump picture_frame clean_flicker_noise ramp_fit gain_scale"
    ),
    ("13.0", "NIRCAM", "NRC_IMAGE"): (
        "group_scale dq_init saturation ipc superbias refpix linearity dark_current "
        "charge_migration jump picture_frame clean_flicker_noise persistence ramp_fit gain_scale"
    ),
    ("9.3", "MIRI", "MIR_DARKIMG"): (
        "group_scale dq_init saturation ipc firstframe lastframe reset linearity rscd"
    ),
    ("10.1", "MIRI", "MIR_DARKIMG"): (
        "group_scale dq_init emicorr saturation ipc firstframe lastframe reset linearity rscd"
    ),
}
"""As the pipelines of `jwst` 1.11.4, 1.9.6, 1.12.5, 1.13.4, 1.16.1, 2.0.1 and 3.0.0 call them."""


@pytest.mark.parametrize(("case", "order"), ORDERS.items(), ids=" ".join)
def test_the_order_of_a_build(case, order):
    build, *exposure = case
    assert " ".join(parameters(*mode_of(*exposure), build)) == order


NIRCAM, MIRI = ("NIRCAM", "NRC_IMAGE"), ("MIRI", "MIR_IMAGE")
IRS2 = ("NIRSPEC", "NRS_IFU", ("READPATT", "NRSIRS2"))

VALUES = [
    ("saturation.use_readpatt", NIRCAM, {"11.1": True, "11.0": False, "9.3": False}),
    ("saturation.use_readpatt", IRS2, {"11.1": True, "11.0": True, "10.2": False}),
    ("jump.minimum_sigclip_groups", NIRCAM, {"9.3": 100, "9.2": 1000000}),
    ("jump.min_diffs_single_pass", NIRCAM, {"10.2": 10, "10.1": 1000000}),
    ("jump.mask_snowball_core_next_int", NIRCAM, {"10.2": True, "10.1": False}),
    ("jump.expand_large_events", NIRCAM, {"13.0": False, "9.3": False}),
    ("jump.find_showers", MIRI, {"13.0": False, "9.3": False}),
    ("jump.large_events_as_jwst", NIRCAM, {None: False, "13.0": True, "9.3": True}),
    ("jump.large_events_as_jwst", MIRI, {None: False, "11.2": True, "11.1": False}),
    ("jump.max_shower_amplitude", MIRI, {"11.2": 4.0, "11.1": 1e30}),
    ("charge_migration.signal_threshold", NIRCAM, {"10.0": 25000.0, "9.3": 30000.0}),
    ("ramp_fit.algorithm", NIRCAM, {"11.0": "OLS_C", "10.2": "OLS"}),
    ("ramp_fit.likely_as_jwst", NIRCAM, {None: False, "11.1": True, "11.0": False}),
    ("dark_current.average_dark_current", NIRCAM, {None: None, "13.0": 0.0, "9.3": 0.0}),
    ("emicorr.algorithm", MIRI, {"12.0": "joint", "11.3": "sequential"}),
    ("emicorr.use_n_cycles", MIRI, {"11.0": 3, "10.2": None}),
    ("emicorr.late_last_column", MIRI, {None: False, "12.0": True}),
    ("firstframe.skip", MIRI, {"12.3": True, "12.1": False, "9.3": False}),
    ("firstframe.bright_use_group1", MIRI, {"12.1": True, "12.0": False}),
    ("refpix.irs2_bad_pixels", IRS2, {"10.0": "clipped", "9.3": "factor"}),
    ("refpix.ovr_corr_mitigation_ftr", IRS2, {"10.0": 3.0, "9.3": 1.8, "9.2": 1e30}),
    (
        "refpix.skip",
        ("NIRSPEC", "NRS_BRIGHTOBJ", ("SUBARRAY", "SUB512")),
        {"9.3": False, "9.2": True},
    ),
    (
        "refpix.superstripe_flags",
        ("NIRCAM", "NRC_IMAGE", ("MSTR_RD1", 1)),
        {None: "own", "13.0": "first"},
    ),
    (
        "linearity.frames_of_stripes",
        ("NIRCAM", "NRC_IMAGE", ("MSTR_RD1", 1)),
        {None: True, "13.0": False},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "exposure", "values"), VALUES, ids=str)
def test_the_value_of_a_parameter_in_a_build(name, exposure, values):
    step, _, param = name.partition(".")
    instrument, exp_type, *more = exposure
    mode, keywords = mode_of(instrument, exp_type, **dict(more))
    found = {build: getattr(parameters(mode, keywords, build)[step], param) for build in values}
    assert found == values


# ------------------------------------------------------------------ plans, runs, receipts


@pytest.fixture
def plan(cli):
    def plan(case, *arguments):
        done = cli("plan", case.exposure, "--references", case.references, "--json", *arguments)
        assert done.code == 0, done.err
        return json.loads(done.out)[0]

    return plan


def test_a_plan_says_what_is_not_reproduced(plan, small_nircam):
    build = plan(small_nircam, "--build", "9.3")["build"]
    assert build["name"] == "9.3.1"
    assert build["crds_context"] == "jwst_1107.pmap"
    said = " / ".join(build["not_reproduced"])
    assert "jwst_1107.pmap: CRDS is not set up" in said
    assert "persistence, changed in jwst 3.0.0" in said
    assert "linearity, changed in jwst 3.0.0: averaged groups" in said  # four frames a group
    assert "rscd" not in said
    assert "clean_flicker_noise" not in said  # it is not in that build


def test_a_plan_says_less_of_what_does_not_run(plan, small_nircam):
    said = plan(small_nircam, "--build", "9.3", "--skip", "linearity")["build"]["not_reproduced"]
    assert not any(text.startswith("linearity") for text in said)


def test_a_plan_says_that_older_changes_are_not_on_record(plan, small_nircam):
    said = plan(small_nircam, "--build", "8.0")["build"]["not_reproduced"]
    assert any(
        "stages 2 and 3" in text and "on record from jwst 1.11.0 on" in text for text in said
    )


def test_a_plan_without_a_build_has_none(plan, small_nircam):
    assert plan(small_nircam)["build"] is None


def test_the_plan_is_printed_with_the_build(cli, small_nircam):
    done = cli(
        "plan", small_nircam.exposure, "--references", small_nircam.references, "--build", "9.3"
    )
    assert "as build 9.3.1 (jwst 1.11.4, SDP 2023.2.1, jwst_1107.pmap)" in done.out
    assert "not reproduced persistence, changed in jwst 3.0.0" in done.out


def test_origins_name_the_build_profile(plan, small_nircam):
    steps = {
        step["label"]: step["parameters"] for step in plan(small_nircam, "--build", "9.3")["steps"]
    }
    use_readpatt = steps["saturation"]["use_readpatt"]
    assert use_readpatt["value"] is False
    assert re.fullmatch(
        r"build profile, heliodor_detector/builds/detector\.yaml:\d+", use_readpatt["origin"]
    )


def test_the_command_line_counts_more(plan, small_nircam):
    arguments = ("--build", "9.3", "-p", "saturation.use_readpatt=true")
    steps = {step["label"]: step["parameters"] for step in plan(small_nircam, *arguments)["steps"]}
    assert steps["saturation"]["use_readpatt"] == {"value": True, "origin": "command line, -p"}


def test_a_pipeline_of_ones_own_keeps_its_order(plan, small_nircam, tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text(
        "name: own\nsteps:\n  - dq_init\n  - saturation\n  - charge_migration\n  - jump\n"
        "  - clean_flicker_noise: {enabled: false}\n"
        "  - ramp_fit: {to: {rate: rate}}\n  - save: rate\n    of: rate\n"
    )
    planned = plan(small_nircam, "--build", "9.3", "--pipeline", own)
    assert [step["label"] for step in planned["steps"]] == [
        "dq_init", "saturation", "charge_migration", "jump", "clean_flicker_noise", "ramp_fit",
    ]  # fmt: skip
    assert planned["steps"][1]["parameters"]["use_readpatt"]["value"] is False
    assert any("the pipeline is your own" in text for text in planned["build"]["not_reproduced"])


def test_a_strangers_step_is_given_no_parameter_of_a_build(
    plan, small_nircam, tmp_path, monkeypatch
):
    from dataclasses import replace

    from heliodor.plugins import Offer, Plugin

    mine = registry().offers("superbias")[0].spec  # it has no parameter of jump
    stranger = Offer(replace(mine, name="jump"), Plugin("other", "other.plugin", "stranger"))
    monkeypatch.setitem(registry().steps, "jump", [*registry().offers("jump"), stranger])
    edits = tmp_path / "edits.yaml"
    edits.write_text(
        "extends: calwebb_detector1\nedits:\n  - replace: jump\n    by: {jump: {use: stranger}}\n"
    )
    planned = plan(small_nircam, "--build", "9.3", "--pipeline", edits)
    (jump,) = (step for step in planned["steps"] if step["label"] == "jump")
    assert (jump["distribution"], jump["parameters"]) == ("stranger", {})
    said = planned["build"]["not_reproduced"]
    assert "jump: stranger does it, whose builds are not on record" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--build", "9.7"), "There is no build '9.7'. Did you mean '9.2'?"),
        (
            ("--build", "9.3", "-p", "clean_flicker_noise.n_sigma=3"),
            "build 9.3.1 has no clean_flicker_noise.",
        ),
        (("--build", "9.3", "--skip", "picture_frame"), "build 9.3.1 has no picture_frame."),
        (("--build", "9.3", "-p", "jumb.skip=true"), "Did you mean 'jump'?"),
    ],
)
def test_what_does_not_exist_is_refused(cli, small_nircam, arguments, said):
    done = cli("plan", small_nircam.exposure, "--references", small_nircam.references, *arguments)
    assert done.code == 2
    assert said in done.err.replace("\n", " ")


def test_r18_a_run_is_that_of_the_same_edits_and_its_receipt_says_so(
    cli, simulated, tmp_path, planes
):
    """What a build does, a user's file with its values does as well, byte by byte."""
    case = simulated("nirspec-brightobj", subarray="SUB512", ngroups=4)
    edits = tmp_path / "edits.yaml"
    edits.write_text(
        "extends: calwebb_detector1\nedits:\n"
        "  - remove: [clean_flicker_noise, picture_frame, persistence]\n"
        "  - move: charge_migration\n    after: jump\n"
        "  - set:\n"
        "      saturation.use_readpatt: false\n"
        "      refpix.skip: true\n"
        "      dark_current.average_dark_current: 0.0\n"
        "      jump.min_diffs_single_pass: 1000000\n"
        "      jump.minimum_sigclip_groups: 1000000\n"
        "      jump.mask_snowball_core_next_int: false\n"
        "      jump.large_events_as_jwst: true\n"
        "      ramp_fit.algorithm: OLS\n"
    )
    rates = {}
    for name, asked in {
        "build": ("--build", "9.2"),
        "edits": ("--pipeline", edits),
        "plain": (),
    }.items():
        done = cli(
            "run", case.exposure, "--references", case.references, "--out", tmp_path / name,
            "--quiet", *asked,
        )  # fmt: skip
        assert done.code == 0, done.err
        (rates[name],) = (tmp_path / name).glob("*_rate.fits")
    followed, edited, plain = (planes(rates[name]) for name in ("build", "edits", "plain"))
    assert all(np.array_equal(followed[name], edited[name], equal_nan=True) for name in followed)
    assert not np.array_equal(followed["SCI"], plain["SCI"], equal_nan=True)
    noted = receipt.read(rates["build"])["options"]["build"]
    assert (noted["name"], noted["jwst"], noted["sdp"]) == ("9.2", "1.10.1", "2023.1.1")
    assert any(
        text.startswith("ramp_fit, changed in jwst 1.11.1") for text in noted["not_reproduced"]
    )
    assert receipt.read(rates["edits"])["options"]["build"] is None


def test_python_takes_a_build(small_nircam):
    import heliodor

    plan = heliodor.plan(small_nircam.exposure, folders=small_nircam.references, build="B9.3.1")
    assert plan.build.build.name == "9.3.1"
    assert str(
        next(s for s in plan.steps if s.label == "saturation").origins["use_readpatt"]
    ).startswith("build profile")


# ------------------------------------------------------------------ commands


def test_builds_are_listed(cli):
    text = cli("builds").out
    assert len(re.findall(r"^ \d+\.\d", text, re.MULTILINE)) == 19
    assert re.search(
        r"9\.3\.1 +1\.11\.4 +Archived +2023\.2\.1 +2023-08-14 +2023-08-24 +jwst_1107", text
    )
    listed = json.loads(cli("builds", "--json").out)
    assert [build["name"] for build in listed][:2] == ["13.0", "12.3.1"]


def test_a_build_is_described(cli):
    text = " ".join(cli("builds", "11.1").out.split())
    assert "build 11.1.1: jwst 1.16.1, Archived, SDP 2024.3.1, jwst_1303.pmap" in text
    assert "needs: gwcs==0.21.0" in text
    assert "the observatory's page in January 2025: status Operations" in text
    assert "changed within it" not in text
    assert "changed within it" in " ".join(cli("builds", "9.3").out.split())


def test_what_changed_is_listed_with_what_heliodor_makes_of_it(cli):
    said = json.loads(cli("whatsnew", "9.3", "11.1", "--json").out)
    assert (said["from"]["name"], said["to"]["name"]) == ("9.3.1", "11.1.1")
    found = {(change["step"], change["jwst"]): change for change in said["changes"]}
    assert found["clean_flicker_noise", "1.16.0"]["heliodor"] == "both"
    assert found["clean_flicker_noise", "1.16.0"]["rows"] == ["B-05"]
    assert found["spectral_leak", "1.13.0"]["heliodor"] == "missing"
    assert found["charge_migration", "1.14.0"]["heliodor"] == "new"
    assert found["emicorr", "1.13.0"]["kind"] == "step"
    assert found["charge_migration", "1.12.0"]["kind"] == "order"
    kinds = {change["kind"] for change in said["changes"]}
    assert kinds == {"step", "order", "default", "behaviour"}
    assert all(change["jwst"] for change in said["changes"])  # what no release has is not new


def test_what_changed_is_printed(cli):
    text = " ".join(cli("whatsnew", "9.3", "11.1").out.split())
    assert "from build 9.3.1 (jwst 1.11.4, jwst_1107.pmap) to 11.1.1" in text
    assert "either" in text
    assert "not yet" in text
    assert text.endswith("changes")


def test_one_build_alone_is_compared_with_the_one_before(cli):
    said = json.loads(cli("whatsnew", "9.3", "--json").out)
    assert (said["from"]["name"], said["to"]["name"]) == ("9.2", "9.3.1")
    assert {change["jwst"] for change in said["changes"]} == {
        "1.11.0", "1.11.1", "1.11.2", "1.11.4",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("builds", "9.4"), "There is no build '9.4'. Did you mean '9.2'?"),
        (("whatsnew", "11.1", "9.3"), "11.1.1 is newer than 9.3.1: name the older first"),
        (("whatsnew", "8.0"), "8.0.1 is the first build on record"),
        (("whatsnew", "9.3", "jump"), "There is no build 'jump'"),
    ],
)
def test_wrong_builds_are_refused(cli, arguments, said):
    done = cli(*arguments)
    assert done.code == 2
    assert said in done.err.replace("\n", " ")
