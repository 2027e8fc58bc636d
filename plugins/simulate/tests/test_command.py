from __future__ import annotations

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from heliodor.declare import Match, ModeSpec, Resource
from heliodor.errors import UsageError
from heliodor_simulate.command import configure
from heliodor_simulate.plugin import heliodor_commands


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Run the command with one mode, declared by a package of its own."""
    package = tmp_path / "tiny_instrument"
    package.mkdir()
    (package / "__init__.py").touch()
    figures = Path(__file__).parent / "tiny.yaml"
    (package / "simulation.yaml").write_text(figures.read_text())
    monkeypatch.syspath_prepend(tmp_path)
    mode = ModeSpec(
        "tiny-imaging", "Tiny imaging", "NIRCAM", Match(),
        simulation=Resource("tiny_instrument", "simulation.yaml"),
    )  # fmt: skip
    monkeypatch.setattr(
        "heliodor.plugins.registry", lambda: SimpleNamespace(modes={mode.name: mode})
    )
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    configure(parser)

    def run(*words):
        args = parser.parse_args([*map(str, words)])
        return args.run(args)

    return run


def test_paths_are_printed_as_json(command, tmp_path, capsys):
    code = command(
        "tiny-imaging", "--out", tmp_path / "out", "--references", tmp_path / "refs",
        "--size", "40x24", "--ngroups", 2, "--without", "1/f, cosmic-rays", "--json",
    )  # fmt: skip
    assert code == 0
    paths = json.loads(capsys.readouterr().out)
    assert Path(paths["exposure"]).name == "jw01234001001_02101_00001_nrcb1_uncal.fits"
    assert Path(paths["truth"]).exists()
    assert len(paths["references"]) == 9


def test_paths_are_printed_one_a_line(command, tmp_path, capsys):
    command("tiny-imaging", "--out", tmp_path / "out", "--size", 16)
    exposure, truth = capsys.readouterr().out.split()
    assert exposure.endswith("_uncal.fits")
    assert truth.endswith("_truth.npz")


def test_unknown_mode_is_named(command):
    with pytest.raises(UsageError, match="Did you mean 'tiny-imaging'"):
        command("tiny-image")


def test_size_is_not_understood(command, capsys):
    with pytest.raises(SystemExit):
        command("tiny-imaging", "--size", "big")
    assert "not like 256 or 256x64" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "sky"), [("0.5", [0.5, 0.5]), ("0.2,500", [0.2, 500])])
def test_sky_is_one_number_or_two(command, tmp_path, text, sky):
    command("tiny-imaging", "--out", tmp_path, "--size", 16, "--sky", text)
    (truth,) = tmp_path.glob("*_truth.npz")
    assert json.loads(str(np.load(truth)["mode"]))["sky"] == sky


def test_sky_is_not_understood(command, capsys):
    with pytest.raises(SystemExit):
        command("tiny-imaging", "--sky", "dark")
    assert "not like 0.2 or 0.2,500" in capsys.readouterr().err


def test_size_and_subarray_exclude_each_other(command):
    with pytest.raises(SystemExit):
        command("tiny-imaging", "--size", "64", "--subarray", "SUB64P")


def test_the_command_is_offered():
    (offered,) = heliodor_commands()
    assert offered.name == "simulate"
    assert offered.impl == "heliodor_simulate.command:configure"


def test_segments(command, tmp_path, capsys):
    code = command(
        "tiny-imaging", "--out", tmp_path / "out", "--size", "40x24", "--ngroups", 2,
        "--nints", 2, "--segments", 2, "--json",
    )  # fmt: skip
    assert code == 0
    paths = json.loads(capsys.readouterr().out)["exposure"]
    assert [Path(path).name.split("_")[2] for path in paths] == ["00001-seg001", "00001-seg002"]
    assert sorted(map(str, (tmp_path / "out").glob("*_uncal.fits"))) == paths


def test_modes_are_listed(command, capsys):
    assert command("--list") == 0
    assert capsys.readouterr().out == "tiny-imaging  Tiny imaging\n"
    command("--list", "--json")
    assert json.loads(capsys.readouterr().out) == {"tiny-imaging": "Tiny imaging"}


def test_a_mode_is_needed(command):
    with pytest.raises(UsageError, match="--list"):
        command()


def test_effects_on_request(command, tmp_path):
    command("tiny-imaging", "--out", tmp_path, "--size", 16, "--also", "glow")
    (truth,) = tmp_path.glob("*_truth.npz")
    assert "glow" in json.loads(str(np.load(truth)["mode"]))["effects"]
    with pytest.raises(UsageError, match="effect 'gloww'"):
        command("tiny-imaging", "--out", tmp_path, "--size", 16, "--also", "gloww")
