"""What a plan and a run look like on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from heliodor.cli.tables import coloured_status, console, console_err, print_table, verbatim
from heliodor.observers import Observer

if TYPE_CHECKING:
    from heliodor.builds.history import Reproduction
    from heliodor.engine import Outcome
    from heliodor.exposures import Exposure
    from heliodor.plans import Plan, PlannedStep
    from heliodor.references.selectors import Answer
    from heliodor.results import Result


def plan(planned: Plan) -> None:
    """Print a plan: steps, what is not default and why, references, products, memory."""
    exposure = planned.exposure
    console().print(f"[bold]{verbatim(exposure.path.name)}[/]", soft_wrap=True)
    console().print(
        f"{planned.mode.title}, {exposure.keywords.get('DETECTOR')} "
        f"{exposure.keywords.get('SUBARRAY', '')} {exposure.keywords.get('READPATT', '')}: "
        f"{_counted(exposure)}; "
        f"pipeline [bold]{planned.pipeline.document.name}[/]"
    )
    rows = []
    for step in planned.steps:
        parameters = [
            f"{name}={verbatim(repr(getattr(step.params, name)))} [dim]({verbatim(origin)})[/]"
            for name, origin in step.origins.items()
            if getattr(step.params, name) != type(step.params).model_fields[name].default
        ]
        references = [f"{name}: {_reference(answer)}" for name, answer in step.references.items()]
        offered = [f"[dim]also offered by {name}, taken by use:[/]" for name in step.offered]
        details = [f"[dim]{verbatim(step.reason)}[/]"] if step.reason else []
        rows.append(
            (
                f"[bold]{step.label}[/]{verbatim(step.title.removeprefix(step.label))}",
                _passes(step) if step.runs else "[yellow]left out[/]",
                "\n".join(details + _relations(step) + parameters + references + offered),
            )
        )
    print_table(("step", "passes", "parameters that are not defaults, references"), rows)
    if planned.build:
        _reproduction(planned.build)
    if planned.contexts:
        console().print(f"references by {verbatim(', '.join(planned.contexts))}")
    for file in planned.parameter_files:
        left = f"; left out: {', '.join(file.left_out)}" if file.left_out else ""
        console().print(
            f"parameters from {verbatim(file.path)} [dim]({verbatim(file.why)}{verbatim(left)})[/]",
            soft_wrap=True,
        )
    _fetches(planned)
    for remark in planned.remarks:
        console().print(f"[yellow]{verbatim(remark)}[/]", soft_wrap=True)
    if planned.caveat:
        console().print(f"[bold red]{verbatim(planned.caveat)}[/]", soft_wrap=True)
    for save in planned.saves:
        console().print(f"writes {verbatim(save.path)}", soft_wrap=True)
    for step, need, answer in planned.missing:
        console().print(
            f"[bold red]missing[/] {need.type} reference for {step.label}: {verbatim(answer.why)}",
            soft_wrap=True,
        )
    memory = planned.memory
    console().print(
        f"memory {_mib(memory.peak)} (cube {_mib(memory.cube)}, flags {_mib(memory.groupdq)}, "
        f"references {_mib(memory.references)}, products {_mib(memory.products)}); "
        f"{len(planned.passes)} traversals of the cube"
    )
    if planned.on_scratch:
        folder = planned.request.scratch or planned.request.out
        console().print(f"on scratch in {verbatim(folder)}; phases that share a traversal:")
        for number, names in enumerate(planned.passes, 1):
            console().print(f"  {number:2} {', '.join(names)}", highlight=False)


def _fetches(planned: Plan) -> None:
    """Print what a run would fetch first."""
    for name, found in planned.absent:
        if not found.fetch:
            console().print(
                f"[bold red]missing[/] {name} reference: {verbatim(found.path)} is not there "
                f"[dim]({verbatim(found.why)})[/]",
                soft_wrap=True,
            )
    files = {found.path: found.size for _, found in planned.absent if found.fetch}
    if not files:
        return
    sizes = [size for size in files.values() if size is not None]
    known = f"{sum(sizes) / 1e6:,.1f} MB" if len(sizes) == len(files) else "size not known"
    if sizes and len(sizes) < len(files):
        known = f"more than {sum(sizes) / 1e6:,.1f} MB"
    console().print(f"[cyan]fetches[/] {len(files)} reference files first, {known}:")
    for path in files:
        console().print(f"  {verbatim(path)}", soft_wrap=True, highlight=False)


def _reproduction(followed: Reproduction) -> None:
    """Print which build is followed, and what of it is not reproduced."""
    build = followed.build
    console().print(
        f"as build [bold]{build.name}[/] (jwst {build.jwst}, SDP {build.sdp or 'unknown'}, "
        f"{build.context or 'context unknown'})",
        soft_wrap=True,
    )
    for sentence in followed.lacking:
        console().print(f"[yellow]not reproduced[/] {verbatim(sentence)}", soft_wrap=True)


def result(done: Result) -> None:
    """Print how a run went: a row a step, then the products."""
    rows = [
        (
            f"[bold]{step.label}[/]{verbatim(step.title.removeprefix(step.label))}",
            coloured_status(outcome.status),
            f"{outcome.seconds:.2f}",
            ", ".join(f"{count:,} {name}" for name, count in outcome.flagged.items())
            or f"[dim]{verbatim(outcome.reason)}[/]",
        )
        for step, outcome in done.outcomes
    ]
    print_table(
        ("step", "status", "seconds:right", "pixels flagged, or why it was left out"),
        rows,
        verbatim(done.plan.exposure.path.name),
    )
    for path in done.paths.values():
        console().print(f"[bold green]wrote[/] {verbatim(path)}", soft_wrap=True)
    if not done.paths:
        console().print("[yellow]no product was asked for, none was written[/]")
    if done.compiled.kernels:
        console().print(
            f"[dim]{done.compiled.kernels} kernels were compiled in {done.compiled.seconds:.0f} s; "
            "from now on they are read from the cache[/]"
        )
    for problem in done.problems:
        console_err().print(f"[yellow]{verbatim(problem)}[/]", soft_wrap=True)


class Progress(Observer):
    """Shows the running step as a bar."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self.bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.fields[file]} [bold]{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
            console=console_err(),
            transient=True,
        )
        self.task = self.bars.add_task("", total=1.0, file="")

    def fetching(self, name: str, done: int, total: int) -> None:
        """Show how far the reference files are."""
        text = f"fetching {name}, {done / 1e6:,.1f} of {total / 1e6:,.1f} MB"
        self.bars.update(self.task, description=text, completed=done / max(total, 1))

    def reading(self, plan: Plan) -> None:
        """Show the name of the exposure."""
        self.bars.update(self.task, file=plan.exposure.path.name)
        self._show("reading")

    def step_started(self, plan: Plan, step: PlannedStep) -> None:
        """Start the bar of a step."""
        self._show(step.label)

    def compiling(self, kernel: str) -> None:
        """Say why nothing moves for a while."""
        self.bars.update(self.task, description=f"compiling {kernel} (only this once)")

    def step_progress(self, step: PlannedStep, done: float) -> None:
        """Move the bar."""
        self.bars.update(self.task, description=step.label, completed=done)

    def step_ended(self, plan: Plan, step: PlannedStep, outcome: Outcome) -> None:
        """Fill the bar."""
        self.bars.update(self.task, completed=1.0)

    def writing(self, plan: Plan, name: str) -> None:
        """Show which product is written."""
        self._show(f"writing {name}")

    def _show(self, description: str) -> None:
        self.bars.update(self.task, description=description, completed=0.0)


@contextmanager
def progress(enabled: bool) -> Iterator[Observer]:
    """Give an observer that shows progress, or one that shows nothing."""
    if not enabled:
        yield Observer()
        return
    observer = Progress()
    with observer.bars:
        yield observer


def _counted(exposure: Exposure) -> str:
    """Say how large an exposure is: ``3 x 6 groups of 64 x 64``."""
    sizes = exposure.sizes
    image = f"{sizes['nx']} x {sizes['ny']}"
    if "ngroups" in sizes:
        return f"{sizes['nints']} x {sizes['ngroups']} groups of {image}"
    return f"{sizes['nints']} integrations of {image}" if "nints" in sizes else image


def _passes(step: PlannedStep) -> str:
    """Say how often the step goes through the data, by what it looks at."""
    looks = Counter(phase.looks for phase in step.spec.phases)
    return ", ".join(look if n == 1 else f"{n} {look}" for look, n in looks.items()) or "none"


def _reference(answer: Answer) -> str:
    from heliodor.references.selectors import Found, Made

    match answer:
        case Found(path=path, caveat=caveat) if caveat:
            return f"[bold red]{verbatim(path.name)}[/]"
        case Found(path=path, by=by):
            fetched = ", [cyan]to be fetched[/]" if answer.absent and answer.fetch else ""
            return verbatim(path.name) + fetched + (f", changed by {by.name}" if by else "")
        case Made(port=port):
            return f"{port} of this run"
    return f"[yellow]{type(answer).__name__}[/] [dim]{verbatim(answer.why)}[/]"


def _relations(step: PlannedStep) -> list[str]:
    """Say what a step has to do with others."""
    said = [f"wrapped by {wrapper.label}" for wrapper in step.wrappers]
    said += [f"reads {port}" for port in step.inputs.values()]
    said += [f"calls {called.spec.name}" for called in step.calls]
    if step.joint:
        said.append(_SCOPES[step.spec.scope])
    if step.on_error != "fail":
        said.append(f"if it fails: {step.on_error} {_WHAT[step.on_error]}")
    return [f"[dim]{verbatim(text)}[/]" for text in said]


_SCOPES = {
    "segments": "looks at all segments of the exposure",
    "association": "looks at all exposures that are run together",
}
_WHAT = {"skip": "the step", "abandon": "the exposure"}


def _mib(size: int) -> str:
    return f"{size / 2**20:,.0f} MiB"
