"""The tutorial on writing a step, done as it says."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits

PAGE = (Path(__file__).parents[1] / "docs" / "tutorial-step.md").read_text()
FILES = re.findall(r"`([\w.]+)`[^`]*:\n\n```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [
    shlex.split(line.removeprefix("$ "))
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the files have been written and the commands given, but for pip."""
    folder = tmp_path_factory.mktemp("tutorial")
    for name, text in FILES:
        (folder / name).write_text(text)
    for command, *arguments in COMMANDS:
        if command == "pip" or arguments[-1] == "heliodor-destripe":
            continue  # what is installed is tested with the example
        words = [str(path) for word in arguments for path in (sorted(folder.glob(word)) or [word])]
        program = ["-m", "heliodor.cli.main"] if command == "heliodor" else []
        done = subprocess.run(
            [sys.executable, *program, *words], cwd=folder, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, (command, arguments, done.stdout, done.stderr)
    return folder


def test_the_page_has_files_and_commands():
    assert [name for name, _ in FILES] == ["my_steps.py", "my.yaml", "test_my_steps.py"]
    assert len(COMMANDS) == 11


def test_the_step_is_done_and_takes_the_stripes_away(folder):
    (plain,) = (folder / "plain").glob("*_rate.fits")
    (mine,) = (folder / "mine").glob("*_rate.fits")
    assert fits.getheader(mine)["S_DESTRI"] == "COMPLETE"
    assert "S_DESTRI" not in fits.getheader(plain)

    def stripes(path):
        import numpy as np

        return np.nanstd(np.nanmedian(fits.getdata(path), axis=1))

    assert stripes(mine) < 0.5 * stripes(plain)


def test_the_package_is_there(folder):
    assert (folder / "heliodor-destripe" / "pyproject.toml").is_file()
