"""References made up for a simulated exposure that comes without any: not for science.

They are what ``heliodor simulate --references`` would have written with it.  It takes two to have
them: the user asks for it (``--not-for-science``), and the exposure says in its header which
simulated detector it is of.  Data of the observatory have no such keywords.
"""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any
from zlib import crc32

from heliodor.errors import HeliodorError
from heliodor.references.selectors import Found, Unknown

if TYPE_CHECKING:
    from heliodor.declare import RefNeed
    from heliodor.observers import Observer
    from heliodor.references.selectors import Sources

    from heliodor_simulate.arrangement import Setup

CAVEAT = "NOT FOR SCIENCE: references made up for a simulated exposure"
PREFIX = "not-for-science_"
"""What their names begin with."""

MUST_AGREE = (
    "INSTRUME", "DETECTOR", "SUBARRAY", "SUBSTRT1", "SUBSTRT2", "SUBSIZE1", "SUBSIZE2", "FASTAXIS",
    "SLOWAXIS", "READPATT", "NGROUPS", "NFRAMES", "GROUPGAP", "TFRAME", "NOUTPUTS", "SIM_FIGS",
)  # fmt: skip
"""Keywords that would be others if the header had been put on other data, or changed."""

_ARRANGEMENT = "arrangement.json"


class Invented:
    """The last source of references: made up, when asked, for exposures that are made up."""

    def __init__(self, sources: Sources):
        self.asked = sources.not_for_science

    def select(
        self, wanted: tuple[RefNeed, ...], keywords: Mapping[str, Any]
    ) -> Mapping[str, Found | Unknown]:
        """Say where the files will be; they are made when a run needs them."""
        reason = ""
        if "SIM_SEED" not in keywords:
            reason = "this exposure was not simulated"
        elif not self.asked:
            reason = "only with --not-for-science"
        else:
            try:
                given = _arguments(keywords)
                return self._answers(wanted, given, _arranged(given, keywords))
            except HeliodorError as error:
                reason = str(error)
        return {need.type: Unknown(reason) for need in wanted}

    def _answers(
        self, wanted: tuple[RefNeed, ...], given: Mapping[str, Any], setup: Setup
    ) -> dict[str, Found | Unknown]:
        from heliodor_simulate.references import file_names

        text = json.dumps(given, sort_keys=True)
        folder = _workshop() / f"{crc32(text.encode()):08x}"
        folder.mkdir(exist_ok=True)
        (folder / _ARRANGEMENT).write_text(text)
        why, fetch = f"simulated detector of seed {setup.seed}", f"{__name__}:make"
        names = file_names(setup)
        return {
            need.type: Found(folder / f"{PREFIX}{name}", why, fetch=fetch, caveat=CAVEAT)
            if (name := names.get(need.type))
            else Unknown("the simulator makes none for this mode")
            for need in wanted
        }


def make(files: Sequence[Found], observer: Observer) -> None:
    """Write files that `Invented` has named."""
    from heliodor_simulate.references import file_names, write_references

    for folder in {found.path.parent for found in files}:
        setup = _arrange(json.loads((folder / _ARRANGEMENT).read_text()))
        names = {found.path.name.removeprefix(PREFIX) for found in files}
        only = {kind for kind, name in file_names(setup).items() if name in names}
        write_references(setup, folder, only=only, prefix=PREFIX)


@cache
def _workshop() -> Path:
    """Give the folder of the files, which is gone with the process."""
    folder = Path(mkdtemp(prefix="heliodor-not-for-science-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _arguments(keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Give the mode and the arguments of `arrange` that an exposure was simulated with.

    What its references do not depend on is left out.
    """
    from heliodor.plugins import registry

    from heliodor_simulate.arrangement import WINDOW

    array: dict[str, Any] = {"subarray": keywords["SUBARRAY"]}
    if keywords["SUBARRAY"] == WINDOW:
        array = {"size": (int(keywords["SUBSIZE1"]), int(keywords["SUBSIZE2"]))}
    return {
        "mode": registry().recognise(keywords).name,
        **array,
        "ngroups": int(keywords["NGROUPS"]),
        "readpatt": keywords["READPATT"],
        "detector": keywords["DETECTOR"],
        "filter": keywords.get("FILTER"),
        "pupil": keywords.get("GRATING", keywords.get("PUPIL")),
        "seed": int(keywords["SIM_SEED"]),
        "without": _names(keywords, "SIM_LESS"),
        "also": _names(keywords, "SIM_ALSO"),
    }


def _arranged(given: Mapping[str, Any], keywords: Mapping[str, Any]) -> Setup:
    """Arrange the exposure again, if it is the same.

    Raises
    ------
    heliodor.errors.HeliodorError
        It is another one, or was simulated with other figures.
    """
    from heliodor_simulate.keywords import primary_keywords

    setup = _arrange(given)
    expected = primary_keywords(setup)
    for name in MUST_AGREE:
        if keywords.get(name) != expected[name]:
            raise HeliodorError(
                f"{name} is {keywords.get(name)}, and {expected[name]} in what the simulator makes"
            )
    return setup


def _arrange(given: Mapping[str, Any]) -> Setup:
    from heliodor.plugins import registry

    from heliodor_simulate.arrangement import arrange

    arguments = dict(given)
    size = arguments.pop("size", None)
    mode = registry().modes[arguments.pop("mode")]
    return arrange(mode, size=None if size is None else tuple(size), **arguments)


def _names(keywords: Mapping[str, Any], name: str) -> list[str]:
    return [each for each in str(keywords.get(name, "")).split(",") if each]
