"""Whether a reference file is what it says, and what the steps that read it need."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor.errors import HeliodorError, ReferenceError
from heliodor.plugins import Registry, registry
from heliodor.references import asdffile, contents, index
from heliodor.references.contents import Finding, Window
from heliodor.references.files import Reference
from heliodor.references.fitting import WILD

if TYPE_CHECKING:
    from heliodor.declare import ReferenceType
    from heliodor.exposures import Exposure

NOWHERE = {*WILD, "MULTIPLE"}
"""Values of DETECTOR and EXP_TYPE that name none."""

ARCHIVE = re.compile(r"jwst_([a-z]+)_([a-z-]+)_\d{4}")
"""Names that the archive gives to references: instrument and type."""


@dataclass(frozen=True)
class Report:
    """What was found out about a reference file.

    Attributes
    ----------
    path : of the file
    type : it says it is of, in small letters
    instrument : it says it is for
    held : its extensions, or the entries of its tree, with their shapes
    findings : what is wrong with it, or worth knowing
    """

    path: Path
    type: str = ""
    instrument: str = ""
    held: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def refused(self) -> tuple[Finding, ...]:
        """What makes the file unusable."""
        return tuple(finding for finding in self.findings if finding.refused)

    def to_dict(self) -> dict[str, Any]:
        """Give it as plain data."""
        return {
            "file": str(self.path),
            "type": self.type,
            "instrument": self.instrument,
            "holds": list(self.held),
            "usable": not self.refused,
            "refused": [str(finding) for finding in self.refused],
            "notes": [str(finding) for finding in self.findings if not finding.refused],
        }


@dataclass(frozen=True)
class Expected:
    """What a file should be, where that is known.

    Attributes
    ----------
    type : reference type; empty: any
    exposure : that it is to be used for, or None
    """

    type: str = ""
    exposure: Exposure | None = None


def is_reference(path: Path) -> bool:
    """Whether a file is to be checked as a reference: it is not an exposure."""
    from heliodor.exposures import NEEDED

    if ".fits" not in path.suffixes or not path.is_file():
        return True
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = fits.getheader(path)
    except (OSError, ValueError):
        return True
    return "REFTYPE" in header or not all(name in header for name in NEEDED[:3])


def check(path: Path, expected: Expected | None = None) -> Report:
    """Open a reference file and look at everything in it.

    Parameters
    ----------
    path : of the file
    expected : what it should be
    """
    expected = expected or Expected()
    try:
        _refuse_no_file(path)
        if path.suffix == ".asdf":
            return _check_asdf(path, expected)
        return _check_fits(path, expected)
    except HeliodorError as error:
        return Report(path, findings=(Finding(str(error).removeprefix(f"{path}: ")),))
    except Exception as error:  # whatever the libraries raise over a file that is damaged
        why = f"cannot be read: {type(error).__name__}: {error}"
        return Report(path, findings=(Finding(why),))


def _refuse_no_file(path: Path) -> None:
    if not path.is_file():
        raise ReferenceError("there is no such file")
    if not path.stat().st_size:
        raise ReferenceError("the file is empty")
    with open(path, "rb") as file:
        start = file.read(8)
    for mark, kind, suffix in ((b"SIMPLE", "FITS", ".fits"), (b"#ASDF", "ASDF", ".asdf")):
        if path.suffix == suffix and not start.startswith(mark):
            raise ReferenceError(f"not {kind}: it does not begin as such a file")
    if path.suffix not in index.SUFFIXES:
        raise ReferenceError("neither .fits nor .asdf: references are one of these")


def _check_fits(path: Path, expected: Expected) -> Report:
    from astropy.io import fits

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            hdus = fits.open(path, memmap=True, do_not_scale_image_data=True, lazy_load_hdus=False)
        except (OSError, ValueError, TypeError, fits.VerifyError) as error:
            raise ReferenceError(f"not a readable FITS file: {error}") from error
    with hdus:
        torn = contents.torn(path, hdus, [str(each.message) for each in warned])
        header = hdus[0].header
        about = _About.of(header, path)
        findings = [*torn, *about.findings(expected, str(header.get("DATAMODL", "")))]
        if not torn:
            findings += contents.of_fits(hdus, about.parts(), about.window())
            findings += _for_exposure(path, about, expected)
        held = tuple(contents.held(hdus))
    return Report(path, about.type, about.instrument, held, tuple(findings))


def _check_asdf(path: Path, expected: Expected) -> Report:
    tree = asdffile.content(path)
    about = _About.of(asdffile.keywords(path), path)
    meta = tree.get("meta")
    model = str(meta.get("model_type", "")) if isinstance(meta, Mapping) else ""
    findings = [
        *about.findings(expected, model),
        *contents.of_tree(tree, about.parts(), about.window()),
    ]
    held = tuple(contents.entries(tree))
    return Report(path, about.type, about.instrument, held, tuple(findings))


@dataclass(frozen=True)
class _About:
    """What a file says of itself."""

    path: Path
    keywords: Mapping[str, Any]
    type: str
    instrument: str
    plugins: Registry = field(default_factory=registry)

    @classmethod
    def of(cls, keywords: Mapping[str, Any], path: Path) -> _About:
        kind = index.text(keywords.get("REFTYPE")).lower()
        return cls(path, keywords, kind, index.text(keywords.get("INSTRUME")))

    def value(self, key: str) -> str:
        return index.text(self.keywords.get(key))

    def findings(self, expected: Expected, model: str) -> Iterator[Finding]:
        """Judge type, instrument, detector, exposure type and date."""
        yield from self._of_type(expected, model)
        yield from self._of_instrument(expected)
        said = self.value("USEAFTER")
        if not said:
            yield Finding("there is no USEAFTER: it is taken for exposures of any date", note=True)
        elif index.date(said) is None:
            yield Finding(f"USEAFTER '{said}' is not a date such as 2022-05-01T00:00:00")

    def _of_type(self, expected: Expected, model: str) -> Iterator[Finding]:
        if not self.type:
            yield Finding("there is no REFTYPE: it does not say what it is")
            return
        named = ARCHIVE.match(self.path.name)
        for kind, why in ((expected.type, "asked for"), (named and named[2], "what its name says")):
            if kind and kind != self.type:
                yield Finding(f"REFTYPE is {self.type.upper()}, and not {kind.upper()}, {why}")
        known = {each.type for each in self.plugins.reference_types}
        modelled = max(
            (kind for kind in known if model.lower().startswith(kind)), key=len, default=""
        )
        if modelled and modelled != self.type:
            yield Finding(f"REFTYPE is {self.type.upper()}, but its data model is {model}")
        if self.type in known and not self._of_mine():
            yield Finding(f"there are no references of type {self.type.upper()} of this instrument")
        elif self.parts() is None:
            yield Finding(
                "nothing installed says what such files hold: only what all have in common was "
                "checked",
                note=True,
            )

    def _of_instrument(self, expected: Expected) -> Iterator[Finding]:
        modes = list(self.plugins.modes.values())
        known = {mode.instrument for mode in modes}
        if not self.instrument:
            yield Finding("there is no INSTRUME: it does not say what it is for")
            return
        if self.instrument not in known:
            names = ", ".join(sorted(known)) or "none"
            yield Finding(f"INSTRUME is {self.instrument}; installed instruments: {names}")
            return
        words = set(re.split(r"[_.]", self.path.name.upper())) & known
        if words and self.instrument not in words:
            yield Finding(f"INSTRUME is {self.instrument}, but its name says {words.pop()}")
        exposure = expected.exposure
        if exposure and index.text(exposure.keywords["INSTRUME"]) != self.instrument:
            wanted = exposure.keywords["INSTRUME"]
            yield Finding(f"INSTRUME is {self.instrument}, and the exposure is of {wanted}")
        mine = [mode for mode in modes if mode.instrument == self.instrument]
        has = {
            "DETECTOR": {name for mode in mine for name in mode.detectors},
            "EXP_TYPE": {name for m in mine for name in m.match.keywords.get("EXP_TYPE", ())},
        }
        for key, allowed in has.items():
            value = self.value(key)
            if value not in NOWHERE and allowed and value not in allowed:
                others = sorted({m.instrument for m in modes if _has(m, key, value)})
                of = f", which {' and '.join(others)} has" if others else ""
                yield Finding(f"{key} is {value}{of}, and not {self.instrument}", note=not others)

    def _of_mine(self) -> bool:
        """Whether anybody declares files of this type for the instrument."""
        return any(
            each.type == self.type
            and self.instrument in each.applies.keywords.get("INSTRUME", (self.instrument,))
            for each in self.plugins.reference_types
        )

    def parts(self) -> ReferenceType | None:
        """Give what such a file must hold, or None."""
        found = [
            each
            for each in self.plugins.reference_types
            if each.type == self.type and each.applies.accepts(self.keywords)
        ]
        best = [e for e in found if all(e.applies.within(other.applies) for other in found)]
        return best[0] if best else None

    def window(self) -> Window:
        """Give the size that arrays of the detector must have, as far as the file says it."""
        sizes = [self.keywords.get(f"SUBSIZE{axis}") for axis in (1, 2)]
        if all(isinstance(size, int) for size in sizes):
            return Window(int(sizes[0]), int(sizes[1]), "SUBSIZE1, SUBSIZE2")  # type: ignore
        whole = {
            m.layout.full for m in self.plugins.modes.values() if m.instrument == self.instrument
        }
        if self.value("SUBARRAY") in {"FULL", "GENERIC", ""} and len(whole) == 1:
            return Window(*whole.pop(), "the whole detector")
        return Window()


def _has(mode: Any, key: str, value: str) -> bool:
    return value in (mode.detectors if key == "DETECTOR" else mode.match.keywords.get(key, ()))


def _for_exposure(path: Path, about: _About, expected: Expected) -> Iterator[Finding]:
    """Say if the arrays do not hold the exposure's window."""
    exposure, kind = expected.exposure, about.parts()
    if exposure is None or kind is None or exposure.keywords.get("MSTR_RD1") is not None:
        return
    shape = (exposure.keywords.get("SUBSIZE2"), exposure.keywords.get("SUBSIZE1"))
    if shape != exposure.shape[-2:]:
        return  # lines that are no pixels: the step knows which
    axes = {name: part.axes for part in kind.parts for name in part.name.split("|")}
    reference = Reference(about.type, path, exposure.keywords, exposure.shape[-2:])
    try:
        for name, said in axes.items():
            if not said or not reference.has(name):
                continue
            if "yx" in (contents.letters_of(said, len(reference.shape_of(name))) or ""):
                reference.cube(name)
    except ReferenceError as error:
        yield Finding(str(error).removeprefix(f"{path}: "))
    finally:
        reference.close()
