"""The command line: every command, as tables and as JSON, and what it says of a mistake."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from heliodor import errors

COMMANDS = (
    "run", "plan", "picture", "steps", "step", "explain", "schema", "modes", "pipeline",
    "pipelines", "plugins", "simulate", "builds", "whatsnew",
)  # fmt: skip

SHARED = ("pipelines", "calwebb_detector1", "--from", "heliodor-detector")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def run(cli, small_nircam, out):
    """Run the exposure with more arguments; gives what the command prints as JSON."""

    def run(*arguments, command="run"):
        where = ("--out", out) if command == "run" else ()
        done = cli(
            command, small_nircam.exposure, "--references", small_nircam.references, *where,
            "--json", *arguments,
        )  # fmt: skip
        assert done.code == 0, done.err
        (result,) = json.loads(done.out)
        return result

    return run


# ------------------------------------------------------------------ help


def test_the_command_is_installed():
    done = subprocess.run(
        [Path(sys.executable).parent / "heliodor", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    import heliodor

    assert done.stdout.strip() == heliodor.__version__


@pytest.fixture
def helped(capsys):
    """Give the help text of a command; argparse ends the process after it."""
    from heliodor.cli.main import main

    def helped(*arguments):
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--help"])
        assert end.value.code == 0
        return capsys.readouterr().out

    return helped


def test_help_names_commands_and_exit_codes(helped):
    text = helped()
    assert all(re.search(rf"^ +{command}\b", text, re.MULTILINE) for command in COMMANDS)
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, errors.HeliodorError)}
    said = set(map(int, re.findall(r"(?:[:;])\s+(\d+) ", text[text.index("exit codes") :])))
    assert said == codes | {0}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(helped, command):
    text = helped(command)
    assert text.startswith(f"usage: heliodor {command} ")
    assert "--json" in text


def test_no_command_shows_the_help(cli):
    done = cli()
    assert done.code == 2
    assert done.out.startswith("usage: heliodor ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu", "x.fits"), "no command 'rnu'. Did you mean 'run'?"),
        (("step", "jmp"), "no step 'jmp'. Did you mean 'jump'?"),
        (("step",), "required: name"),
        (("steps", "jump"), "heliodor steps does not take 'jump'"),
        (("run",), "required: FILE"),
        (("pipelines", "calwebb_detctor1"), "Did you mean 'calwebb_detector1'?"),
        (("simulate", "nircam-imagin"), "Did you mean 'nircam-imaging'?"),
        (("plan", "x.fits", "--refrences", "d"), "Did you mean '--references'?"),
    ],
)
def test_what_is_nearest_to_a_mistake(cli, arguments, said):
    done = cli(*arguments)
    assert done.code == 2
    assert said in " ".join(done.err.split())
    assert not done.out


def test_debug_shows_where(cli, tmp_path):
    quiet, loud = cli("run", tmp_path / "x.fits"), cli("run", tmp_path / "x.fits", "--debug")
    assert quiet.code == loud.code == 3
    assert "Traceback" not in quiet.err
    assert "Traceback" in loud.err


def test_an_unexpected_failure_is_one_line(cli, monkeypatch, small_nircam):
    from heliodor import exposures

    def broken(path, stage=None):
        raise LookupError("out of ideas")

    monkeypatch.setattr(exposures, "look", broken)
    done = cli("plan", small_nircam.exposure)
    assert done.code == 1
    assert done.err == "heliodor: unexpected LookupError: out of ideas. --debug shows where.\n"


# ------------------------------------------------------------------ lists


def test_steps(cli):
    steps = json.loads(cli("steps", "--json").out)
    by_name = {step["name"]: step for step in steps}
    assert by_name["jump"] == {
        "name": "jump",
        "summary": by_name["jump"]["summary"],
        "status_keyword": "S_JUMP",
        "distribution": "heliodor-detector",
        "version": by_name["jump"]["version"],
        "algorithm_version": by_name["jump"]["algorithm_version"],
        "applies": {},
        "references": ["gain", "readnoise"],
        "sets_bits": by_name["jump"]["sets_bits"],
    }
    table = cli("steps").out
    assert all(name in table for name in by_name)
    assert "charge_migration" in table


def test_step(cli):
    (jump,) = json.loads(cli("step", "jump", "--json").out)
    threshold = {p["name"]: p for p in jump["parameters"]}["rejection_threshold"]
    assert threshold == {
        "name": "rejection_threshold",
        "default": 4.0,
        "allowed": "a number, at least 0 [sigma]",
        "unit": "sigma",
        "description": threshold["description"],
    }
    text = cli("step", "jump").out
    assert "references: gain, readnoise" in text
    assert all(p["name"] in text for p in jump["parameters"])


def test_every_step_can_be_explained(cli):
    for step in json.loads(cli("steps", "--json").out):
        assert cli("step", step["name"]).code == 0


def test_modes(cli):
    modes = {mode["name"]: mode for mode in json.loads(cli("modes", "--json").out)}
    assert modes["nircam-imaging"] == {
        "name": "nircam-imaging",
        "title": "NIRCam imaging",
        "instrument": "NIRCAM",
        "match": {"INSTRUME": ["NIRCAM"], "EXP_TYPE": ["NRC_IMAGE"]},
        "pipelines": {"1": "calwebb_detector1", "2": "calwebb_image2", "3": "calwebb_image3"},
        "distribution": "heliodor-nircam",
    }
    assert all(mode in cli("modes").out for mode in modes)


def test_pipelines(cli):
    pipelines = json.loads(cli("pipelines", "--json").out)
    assert {(each["name"], each["distribution"]) for each in pipelines} == {
        ("calwebb_detector1", "heliodor-detector"),
        ("calwebb_detector1", "heliodor-miri"),
        ("calwebb_dark", "heliodor-detector"),
        ("calwebb_dark", "heliodor-miri"),
        ("calwebb_guider", "heliodor-fgs"),
    }
    assert "calwebb_detector1" in cli("pipelines").out
    (one,) = json.loads(cli(*SHARED, "--json").out)
    assert one["text"] in cli(*SHARED).out


def test_a_printed_pipeline_can_be_run(cli, run, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(cli(*SHARED).out)
    assert set(run("--pipeline", mine)["products"]) == {"rate", "rateints"}


def test_plugins(cli):
    plugins = {each["distribution"]: each for each in json.loads(cli("plugins", "--json").out)}
    assert plugins["heliodor-detector"]["state"] == "declared"
    assert plugins["heliodor-detector"]["error"] is None
    assert plugins["heliodor-detector"]["offers"]["heliodor_pipelines"] == 2
    assert all(name in cli("plugins").out for name in plugins)


def test_a_broken_plugin_is_named_and_the_rest_works(tmp_path, small_nircam):
    info = tmp_path / "heliodor_broken-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: heliodor-broken\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[heliodor]\nbroken = heliodor_broken\n")
    (tmp_path / "heliodor_broken.py").write_text("import a_library_that_is_gone\n")

    def call(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "heliodor.cli.main", *map(str, arguments)],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            check=False,
        )

    done = call("plugins", "--json")
    assert done.returncode == 5
    plugins = {each["distribution"]: each for each in json.loads(done.stdout)}
    assert plugins["heliodor-broken"]["state"] == "failed"
    assert "a_library_that_is_gone" in plugins["heliodor-broken"]["error"]
    assert plugins["heliodor-detector"]["state"] == "declared"
    planned = call("plan", small_nircam.exposure, "--references", small_nircam.references)
    assert planned.returncode == 0, planned.stderr
    unknown = call("step", "from_the_broken_one")
    assert "heliodor-broken" in unknown.stderr


# ------------------------------------------------------------------ plan


def test_plan_as_data(run, small_nircam):
    plan = run(command="plan")
    assert plan["input"] == str(small_nircam.exposure)
    assert plan["mode"] == "nircam-imaging"
    assert plan["pipeline"] == "calwebb_detector1"
    assert plan["shape"] == [3, 6, 64, 64]
    assert plan["missing"] == []
    assert set(plan["products"]) == {"rate", "rateints"}
    assert set(plan["memory"]) == {
        "cube", "groupdq", "planes", "references", "notes", "products", "row",
        "base", "peak", "on_scratch",
    }  # fmt: skip
    assert not plan["memory"]["on_scratch"]
    steps = {step["label"]: step for step in plan["steps"] if step["port"] == "main"}
    labels = list(steps)
    assert (labels[0], labels[-1]) == ("group_scale", "ramp_fit")
    assert steps["jump"]["references"]["gain"] == str(small_nircam.files["gain"])
    assert steps["jump"]["phases"]
    assert not steps["persistence"]["runs"]
    on_the_ramp = (s for s in steps.values() if s["runs"] and s["port"] == "main")
    assert len(plan["passes"]) == sum(len(s["phases"]) for s in on_the_ramp)


def test_plan_as_a_table(cli, small_nircam):
    done = cli(
        "plan", small_nircam.exposure, "--references", small_nircam.references,
        "-p", "jump.rejection_threshold=5",
    )  # fmt: skip
    assert done.code == 0
    text = " ".join(done.out.split())
    assert "NIRCam imaging, NRCA1 GENERIC BRIGHT2: 3 x 6 groups of 64 x 64" in text
    assert "rejection_threshold=5.0" in text
    assert f"writes {small_nircam.exposure.name.replace('uncal', 'rate')}" in text
    assert "fitopt" not in text
    assert "memory 216 MiB (cube 0 MiB" in text
    assert "on scratch" not in text


def test_plan_tells_what_is_missing(cli, small_nircam):
    done = cli("plan", small_nircam.exposure, "--json")
    assert done.code == 4
    (plan,) = json.loads(done.out)
    assert {"gain", "dark", "superbias"} <= set(plan["missing"])
    text = " ".join(cli("plan", small_nircam.exposure).out.split())
    assert "missing gain reference for jump" in text


# ------------------------------------------------------------------ run


def test_table_of_a_run(cli, small_nircam, out):
    done = cli("run", small_nircam.exposure, "--references", small_nircam.references, "--out", out)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].strip() == small_nircam.exposure.name
    for title in ("step", "status", "seconds", "pixels flagged"):
        assert title in " ".join(lines[:5])
    (jump,) = (line for line in lines if line.lstrip().startswith("jump"))
    assert re.fullmatch(r" ?jump +COMPLETE +\d+\.\d\d +[\d,]+ JUMP_DET *", jump)
    (skipped,) = (line for line in lines if line.lstrip().startswith("group_scale"))
    assert re.search(r"SKIPPED +\d+\.\d\d +NFRAMES and FRMDIVSR are equal", skipped)
    written = [line.removeprefix("wrote ") for line in lines if line.startswith("wrote ")]
    assert sorted(Path(path) for path in written) == sorted(out.iterdir())
    assert len(written) == 2


def test_quiet(cli, small_nircam, out):
    done = cli(
        "run", small_nircam.exposure, "--references", small_nircam.references, "--out", out,
        "--quiet",
    )  # fmt: skip
    assert (done.code, done.out, done.err) == (0, "", "")
    assert len(list(out.iterdir())) == 2


def test_progress_on_a_terminal(small_nircam, out):
    """Steps and products are shown while they are worked on, and leave nothing behind."""
    terminal, end = os.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "heliodor.cli.main", "run", small_nircam.exposure, "--references",
         small_nircam.references, "--out", out],
        stderr=end, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal says that it was closed
        while part := os.read(terminal, 1 << 16):
            shown += part
    os.close(terminal)
    table, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    assert small_nircam.exposure.name.encode() in shown
    assert b"writing rateints" in shown
    assert "wrote" in table


def test_run_as_data(run, small_nircam, out):
    result = run()
    assert result["input"] == str(small_nircam.exposure)
    assert result["products"] == {
        kind: str(out / small_nircam.exposure.name.replace("uncal", kind))
        for kind in ("rate", "rateints")
    }
    assert result["problems"] == []
    jump = {step["label"]: step for step in result["steps"]}["jump"]
    assert jump["status"] == "COMPLETE"
    assert jump["flagged"]["JUMP_DET"] > 0
    assert set(jump) == {"label", "port", "round", "status", "reason", "seconds", "flagged"}


def status(result):
    return {step["label"]: step["status"] for step in result["steps"]}


def test_parameters(run):
    few = run("-p", "jump.rejection_threshold=100", "-p", "save_calibrated_ramp=true")
    many = run("-p", "jump.rejection_threshold=3")
    flagged = [
        {step["label"]: step["flagged"] for step in result["steps"]}["jump"].get("JUMP_DET", 0)
        for result in (few, many)
    ]
    assert flagged[0] < flagged[1]
    assert set(few["products"]) == {"ramp", "rate", "rateints"}


def test_skip(run):
    assert status(run("--skip", "jump", "--skip", "ipc")) | {
        "jump": "SKIPPED",
        "ipc": "SKIPPED",
    } == status(run("--skip", "jump", "--skip", "ipc"))
    assert status(run())["jump"] == "COMPLETE"


def test_what_no_step_makes_is_not_written(cli, run, small_nircam, out):
    plan = run("--skip", "ramp_fit", command="plan")
    assert plan["products"] == {}
    rates = [step for step in plan["steps"] if step["label"] == "gain_scale"]
    assert {step["reason"] for step in rates} == {
        "there will be no rate", "there will be no rateints",
    }  # fmt: skip
    done = cli(
        "run", small_nircam.exposure, "--references", small_nircam.references, "--out", out,
        "--skip", "ramp_fit",
    )  # fmt: skip
    assert done.code == 0
    assert "no product was asked for, none was written" in done.out
    assert not list(out.iterdir())


def test_references_by_name(run, small_nircam, tmp_path):
    dark = tmp_path / "mydark.fits"
    dark.write_bytes(small_nircam.files["dark"].read_bytes())
    result = run("--ref", f"dark={dark}", "--ref", "ipc=N/A")
    assert status(result)["ipc"] == "SKIPPED"
    assert status(result)["dark_current"] == "COMPLETE"
    header = fits.getheader(result["products"]["rate"])
    assert header["R_DARK"] == "mydark.fits"
    assert header["R_IPC"] == "N/A"


def test_several_exposures(cli, small_nircam, small_niriss, out):
    done = cli(
        "run", small_nircam.exposure, small_niriss.exposure, "--references",
        small_nircam.references, "--references", small_niriss.references, "--out", out,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert "2 of 2 exposures calibrated" in done.out
    assert len(list(out.glob("*_rate.fits"))) == 2


# ------------------------------------------------------------------ pipelines of the user's own


@pytest.fixture
def edited(run, tmp_path):
    """Run with edits; gives status by label, in order."""

    def edited(*edits, command="run"):
        path = tmp_path / "mine.yaml"
        path.write_text(
            "extends: calwebb_detector1\nedits:\n" + "".join(f"  - {edit}\n" for edit in edits)
        )
        return run("--pipeline", path, command=command)

    return edited


def test_pipeline_show(cli, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("extends: calwebb_detector1\nedits: [{remove: superbias}]\n")
    lines = cli("pipeline", "show", path).out.splitlines()
    assert lines[0] == "# calwebb_detector1 of heliodor-detector"
    assert "ramp_fit" in lines
    assert "superbias" not in lines
    difference = cli("pipeline", "show", "calwebb_detector1", path, "--diff").out.splitlines()
    assert difference[2] == "+++ calwebb_detector1 with mine.yaml"
    assert [line for line in difference[3:] if line[0] in "+-"] == ["-superbias"]
    both = json.loads(cli("pipeline", "show", "calwebb_detector1", "--json").out)
    assert {each["from"] for each in both} == {"heliodor-detector", "heliodor-miri"}


def test_pipeline_show_of_what_is_not_there(cli, tmp_path):
    assert "Did you mean 'calwebb_detector1'" in cli("pipeline", "show", "calwebb_detctor1").err
    path = tmp_path / "mine.yaml"
    path.write_text("extends: calwebb_detector1\nedits: [{remove: superbus}]\n")
    assert "Did you mean 'superbias'" in cli("pipeline", "show", path).err
    given = "pipeline", "show", "calwebb_detector1", "--from", "heliodor-mirri"
    assert "Did you mean 'heliodor-miri'" in cli(*given).err


def test_remove(edited):
    assert "jump" not in status(edited("remove: jump"))


def test_set(edited):
    plan = edited("set: {jump.rejection_threshold: 7}", command="plan")
    (jump,) = (step for step in plan["steps"] if step["label"] == "jump")
    assert list(jump["parameters"]) == ["rejection_threshold"]
    threshold = jump["parameters"]["rejection_threshold"]
    assert threshold["value"] == 7.0
    assert re.fullmatch(r"user file, (.*/)?mine\.yaml:3", threshold["origin"])


def test_move(edited):
    labels = list(status(edited("{move: ipc, after: dark_current}")))
    assert labels.index("ipc") == labels.index("dark_current") + 1


def test_insert(edited):
    result = edited(
        "{insert: {refpix: {as: again}}, after: refpix, set: {odd_even_columns: false}}"
    )
    assert status(result)["again"] == "COMPLETE"
    labels = list(status(result))
    assert labels.index("again") == labels.index("refpix") + 1


def test_replace(edited):
    result = edited("{replace: [superbias, refpix], by: {refpix: {as: both}}}")
    labels = list(status(result))
    assert status(result)["superbias"] == "SKIPPED"
    assert fits.getheader(result["products"]["rate"])["S_SUPERB"] == "SKIPPED"
    assert labels.index("both") == labels.index("linearity") - 1


def test_save_in_the_middle(edited):
    result = edited("{insert: {save: early}, after: superbias}")
    assert {"early", "rate", "rateints"} == set(result["products"])
    assert fits.getheader(result["products"]["early"])["DATAMODL"] == "RampModel"


def test_a_pipeline_file_is_recorded(edited):
    from heliodor import receipt

    found = receipt.read(edited("remove: jump")["products"]["rate"])
    assert found["options"]["pipeline_files"] == ["mine.yaml"]


# ------------------------------------------------------------------ pictures


def test_picture(cli, run, tmp_path):
    rate = Path(run()["products"]["rate"])
    done = cli("picture", rate, "--json")
    assert json.loads(done.out) == [str(rate.with_suffix(".png"))]
    from matplotlib.image import imread

    assert imread(rate.with_suffix(".png")).shape[:2] == (64, 64)
    elsewhere = cli("picture", rate, "--out", tmp_path / "pictures")
    assert elsewhere.out.strip() == str(tmp_path / "pictures" / f"{rate.stem}.png")


def test_picture_of_nothing(cli, tmp_path):
    path = tmp_path / "x_rate.fits"
    hdu = fits.ImageHDU(np.full((4, 4), np.nan, np.float32), name="SCI")
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    done = cli("picture", path)
    assert done.code == 3
    assert "every pixel is NaN" in done.err
    assert cli("picture", tmp_path / "absent.fits").code == 3
