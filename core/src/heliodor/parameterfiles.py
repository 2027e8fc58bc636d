"""Parameter files of the `jwst` package: of one step or of a pipeline, in the form of stpipe.

They are what ``strun --save-parameters`` writes, and what the archive gives to operations as
references (``pars-jumpstep``).  What they say about parameters is taken; what they say about files
and folders of that program is left out and told.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliodor.documents.nodes import Layer
from heliodor.errors import NotYetError, UsageError, did_you_mean
from heliodor.references import asdffile

if TYPE_CHECKING:
    from heliodor.references.selectors import Found

FILES: dict[str, tuple[Any, ...]] = {
    "input_dir": (None, ""),
    "output_dir": (None, ""),
    "output_file": (None, ""),
    "output_ext": (None, "", ".fits", "fits"),
    "output_use_index": (True,),
    "output_use_model": (False,),
    "save_results": (False,),
    "search_output_file": (True,),
    "suffix": (None, ""),
}
"""Parameters of every stpipe step about its own files, with the values that ask for nothing."""

HOOKS = ("pre_hooks", "post_hooks")

ABOUT = ("class", "name", "steps")
"""What stands beside parameters, and in files written before 2020 among them."""


@dataclass(frozen=True, slots=True)
class Value:
    """A parameter of a step, or with an empty `step` an option of the pipeline."""

    step: str
    param: str
    value: Any


@dataclass(frozen=True)
class ParameterFile:
    """What a parameter file says.

    Attributes
    ----------
    path : of the file
    layer : it belongs to, of `heliodor.layers.LAYERS`
    subject : the step, or the pipeline, that it is about
    values : in order
    references : file by type, for what it says about ``override_TYPE``
    left_out : what is not taken, in words
    why : how it was found
    reference : its type (``pars-jumpstep``) and how it was found, if it is a reference
    """

    path: Path
    layer: Layer
    subject: str
    values: tuple[Value, ...]
    references: Mapping[str, str]
    left_out: tuple[str, ...] = ()
    why: str = ""
    reference: tuple[str, Found] | None = None

    def about(self, names: Collection[str], step: str) -> ParameterFile:
        """Give only what is said about a step by one of its `names`, as of `step`."""
        mine = (value for value in self.values if value.step in names)
        return replace(self, values=tuple(replace(value, step=step) for value in mine))


def read(
    path: Path,
    layer: Layer,
    pipeline: Collection[str],
    steps: Collection[str],
    installed: Collection[str],
    why: str = "",
) -> ParameterFile:
    """Read a parameter file for a pipeline.

    Parameters
    ----------
    path : ASDF file
    layer : it belongs to
    pipeline : names of the pipeline that the exposure goes through, the best first
    steps : labels and names of its steps
    installed : names of all steps there are
    why : how the file was found

    Raises
    ------
    heliodor.errors.ReferenceError
        The file cannot be read.
    UsageError
        It holds no parameters, or those of a step or a pipeline that is not this one.
    NotYetError
        It asks for hooks, which are Python objects of the other program.
    """
    tree = asdffile.content(path)
    reader = _Reader(path, steps, installed)
    parameters = tree.get("parameters")
    if not isinstance(parameters, Mapping):
        raise UsageError(f"{path}: no parameter file: it has no 'parameters'.")
    if "class" not in tree:  # written before 2020
        tree = dict(parameters)
        parameters = tree
    subject = str(tree.get("class", "")).rpartition(".")[2]
    if subject.endswith("Pipeline"):
        named = {squashed(name.removeprefix("calwebb_")): name for name in pipeline}
        subject = squashed(subject.removesuffix("Pipeline"))
        if subject not in named:
            raise UsageError(
                f"{path} has the parameters of calwebb_{subject}; "
                f"this exposure goes through {next(iter(pipeline))}."
            )
        subject = named[subject]
        reader.take("", parameters)
        reader.take_steps(tree.get("steps") or ())
    elif subject:
        subject = reader.step(subject)
        reader.take(subject, parameters)
    else:
        raise UsageError(f"{path}: no parameter file: it does not say of which 'class'.")
    return ParameterFile(
        path,
        layer,
        subject,
        tuple(reader.values),
        reader.references,
        tuple(reader.left_out),
        why,
    )


class _Reader:
    """Collects what a file says."""

    def __init__(self, path: Path, steps: Collection[str], installed: Collection[str]):
        self.path = path
        self.steps = steps
        self.installed = installed
        self.values: list[Value] = []
        self.references: dict[str, str] = {}
        self.left_out: list[str] = []

    def step(self, class_name: str) -> str:
        """Give the step of this pipeline that a class stands for."""
        wanted = squashed(class_name.rpartition(".")[2].removesuffix("Step"))
        for name in self.steps:
            if squashed(name) == wanted:
                return name
        raise UsageError(f"{self.path}: {did_you_mean(wanted, self.steps, 'step here')}")

    def take(self, step: str, parameters: Any) -> None:
        """Take the parameters of a step, or with an empty name the pipeline's own."""
        if not isinstance(parameters, Mapping):
            raise UsageError(f"{self.path}: the parameters of {step or 'the pipeline'} are none.")
        for name, value in parameters.items():
            said = f"{step}.{name}" if step else name
            if name in ABOUT:
                continue
            if name in HOOKS:
                if value:
                    raise NotYetError(
                        f"{self.path}: {said} = {value!r}: hooks are not run; put what they do "
                        "into a step, and that into the pipeline."
                    )
            elif name in FILES:
                if value not in FILES[name]:
                    self.left_out.append(f"{said} = {value!r} (about files of jwst)")
            elif name.startswith("override_"):
                if value not in (None, "", "None"):
                    self.references[name.removeprefix("override_")] = str(value)
            elif step or name != "skip":  # what is run by itself is never skipped
                self.values.append(Value(step, name, value))

    def take_steps(self, steps: Any) -> None:
        """Take what a pipeline's file says about its steps."""
        if isinstance(steps, Mapping):  # before 2020
            steps = [{"name": name, "parameters": inside} for name, inside in steps.items()]
        for entry in steps:
            if not isinstance(entry, Mapping):
                raise UsageError(f"{self.path}: {entry!r} is no step.")
            name, parameters = entry.get("name"), entry.get("parameters") or {}
            name = str(name) if name else self.step(str(entry.get("class")))
            if name in self.steps:
                self.take(name, parameters)
                continue
            near = difflib.get_close_matches(name, self.steps, n=1, cutoff=0.8)
            if near and name not in self.installed:
                raise UsageError(f"{self.path}: {did_you_mean(name, self.steps, 'step here')}")
            self.left_out.append(f"{name} (not in this pipeline)")


def squashed(name: str) -> str:
    """Write a name as classes and reference types do, without ``_`` and in one case.

    Examples
    --------
    >>> squashed("dq_init"), squashed("DQInit")
    ('dqinit', 'dqinit')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())
