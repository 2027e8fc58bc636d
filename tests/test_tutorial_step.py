"""The tutorial on writing a step, done as it says, word by word."""

from __future__ import annotations

import os
import re
import site
import subprocess
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from heliodor import receipt

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial-step.md").read_text()
FILES = re.findall(r"`([\w.]+)`[^`]*:\n\n```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]
PIP = next(number for number, command in enumerate(COMMANDS) if command.startswith("pip "))


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    """Give commands in an environment of one's own that has what this one has, and more to come."""
    top = tmp_path_factory.mktemp("tutorial")
    venv.create(top / "venv", with_pip=True)
    programs = top / "venv" / "bin"
    (packages,) = (top / "venv" / "lib").glob("python*/site-packages")
    here = {sysconfig.get_path("purelib"), *site.getsitepackages()}
    (packages / "here.pth").write_text(
        "".join(f"import site; site.addsitedir({path!r})\n" for path in sorted(here))
    )
    # a script that was installed here would start the Python of here
    script = programs / "heliodor"
    script.write_text(f'#!/bin/sh\nexec {programs}/python -m heliodor.cli.main "$@"\n')
    script.chmod(0o755)
    folder = top / "folder"
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"

    def give(commands: list[str]) -> Path:
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, capture_output=True,
                text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (command, done.stdout, done.stderr)
        return folder

    return give


@pytest.fixture(scope="module")
def folder(shell):
    """The folder after all that comes before the package is installed."""
    folder = shell([])
    for name, text in FILES:
        (folder / name).write_text(text)
    return shell(COMMANDS[:PIP])


def stripes(path: Path) -> float:
    return float(np.nanstd(np.nanmedian(fits.getdata(path), axis=1)))


def test_the_page_has_files_and_commands():
    assert [name for name, _ in FILES] == [
        "my_steps.py", "my.yaml", "test_my_steps.py", "by_name.yaml"
    ]  # fmt: skip
    assert (PIP, len(COMMANDS)) == (8, 12)


def test_the_step_is_done_and_takes_the_stripes_away(folder):
    (plain,) = (folder / "plain").glob("*_rate.fits")
    (mine,) = (folder / "mine").glob("*_rate.fits")
    assert fits.getheader(mine)["S_DESTRI"] == "COMPLETE"
    assert "S_DESTRI" not in fits.getheader(plain)
    assert stripes(mine) < 0.5 * stripes(plain)


@pytest.mark.install
def test_the_package_is_installed_tested_and_placed(folder, shell):
    shell(COMMANDS[PIP:])
    (plain,) = (folder / "plain").glob("*_rate.fits")
    (made,) = (folder / "installed").glob("*_rate.fits")
    assert stripes(made) < 0.5 * stripes(plain)
    (step,) = (step for step in receipt.read(made)["steps"] if step["name"] == "destripe")
    assert step["implementation"] == "heliodor-destripe 0.1.0"
