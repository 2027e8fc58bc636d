"""``heliodor steps | step | modes | pipelines | plugins``: what is installed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from heliodor.cli.tables import console, print_json, print_table, verbatim
from heliodor.declare import Match, StepSpec
from heliodor.engine import load
from heliodor.errors import UsageError, did_you_mean
from heliodor.plugins import Offer, registry

if TYPE_CHECKING:
    from heliodor.documents.shipped import Shipped


def configure_steps(parser: argparse.ArgumentParser) -> None:
    """``heliodor steps``."""
    parser.set_defaults(run=_steps)


def _steps(arguments: argparse.Namespace) -> int:
    offers = [offer for name in sorted(registry().steps) for offer in registry().steps[name]]
    if arguments.json:
        print_json([step_facts(offer) for offer in offers])
        return 0
    print_table(
        ("step", "what it does", "keyword", "from"),
        (
            (
                f"[bold]{offer.spec.name}[/]",
                offer.spec.summary,
                offer.spec.status,
                offer.plugin.distribution,
            )
            for offer in offers
        ),
    )
    return 0


def configure_step(parser: argparse.ArgumentParser) -> None:
    """``heliodor step NAME``."""
    parser.add_argument("name", help="name of a step, such as jump, or my_steps.py:destripe")
    parser.set_defaults(run=_step)


def _step(arguments: argparse.Namespace) -> int:
    from heliodor import stepfiles

    offers = stepfiles.offers(arguments.name, registry())
    if arguments.json:
        print_json([step_facts(offer) | {"parameters": parameters(offer.spec)} for offer in offers])
        return 0
    for offer in offers:
        spec = offer.spec
        console().print(f"[bold]{spec.name}[/]  {spec.summary}")
        console().print(f"offered by {offer.plugin}, for {described(spec.applies)}")
        for line in said(offer):
            console().print(verbatim(line))
        refs = ", ".join(need.type + (" (optional)" if need.optional else "") for need in spec.refs)
        console().print(f"references: {refs or 'none'}")
        console().print(f"sets: {', '.join(spec.sets_bits) or 'no DQ bits'}; keyword {spec.status}")
        print_table(
            ("parameter", "default", "allowed", "meaning"),
            (
                (p["name"], repr(p["default"]), verbatim(p["allowed"]), p["description"])
                for p in parameters(spec)
            ),
        )
    return 0


def said(offer: Offer) -> list[str]:
    """Give what the source of a step in a file says: what it changes, when, and its docstring."""
    import inspect

    from heliodor import stepfiles
    from heliodor.documents.conditions import ALWAYS

    if not isinstance(offer, stepfiles.FileOffer):
        return []
    lines = [
        f"looks at {each.looks}, writes {', '.join(each.writes)}" for each in offer.spec.phases
    ]
    if offer.when is not ALWAYS:
        lines.append(f"when {offer.when.describe()}")
    _, _, doc = (inspect.getdoc(load(offer.spec.impl)) or "").partition("\n\n")
    body = doc.partition("Parameters\n---")[0].strip()
    return [*lines, "", *body.splitlines()] if body else lines


def step_facts(offer: Offer) -> dict[str, Any]:
    """Describe a step implementation as plain data."""
    spec = offer.spec
    return {
        "name": spec.name,
        "summary": spec.summary,
        "status_keyword": spec.status,
        "distribution": offer.plugin.distribution,
        "version": offer.plugin.version,
        "algorithm_version": spec.version,
        "applies": dict(spec.applies.keywords),
        "references": [need.type for need in spec.refs],
        "sets_bits": list(spec.sets_bits),
    }


def parameters(spec: StepSpec) -> list[dict[str, Any]]:
    """Describe the parameters of a step: name, default, allowed values, unit, meaning."""
    from heliodor.params import allowed, unit

    return [
        {
            "name": name,
            "default": field.default,
            "allowed": allowed(field),
            "unit": unit(field),
            "description": field.description,
        }
        for name, field in load(spec.params).model_fields.items()
    ]


def configure_modes(parser: argparse.ArgumentParser) -> None:
    """``heliodor modes``."""
    parser.set_defaults(run=_modes)


def _modes(arguments: argparse.Namespace) -> int:
    modes = [registry().modes[name] for name in sorted(registry().modes)]
    if arguments.json:
        print_json(
            [
                {
                    "name": mode.name,
                    "title": mode.title,
                    "instrument": mode.instrument,
                    "match": dict(mode.match.keywords),
                    "pipelines": dict(mode.pipelines),
                    "distribution": registry().owner(mode).distribution,
                }
                for mode in modes
            ]
        )
        return 0
    print_table(
        ("mode", "title", "EXP_TYPE", "pipelines"),
        (
            (
                f"[bold]{mode.name}[/]",
                mode.title,
                ", ".join(mode.match.keywords.get("EXP_TYPE", ())),
                ", ".join(mode.pipelines.values()),
            )
            for mode in modes
        ),
    )
    return 0


def configure_pipelines(parser: argparse.ArgumentParser) -> None:
    """``heliodor pipelines [NAME] [--from DISTRIBUTION]``."""
    parser.add_argument("name", nargs="?", help="print this pipeline's document")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="DISTRIBUTION",
        help="only of this one, where several ship a pipeline of that name",
    )
    parser.set_defaults(run=_pipelines)


def _pipelines(arguments: argparse.Namespace) -> int:
    from heliodor.documents.shipped import all_documents

    shipped = all_documents(registry())
    if arguments.source:
        known = {each.distribution for each in shipped}
        if arguments.source not in known:
            raise UsageError(did_you_mean(arguments.source, known, "distribution with pipelines"))
        shipped = [each for each in shipped if each.distribution == arguments.source]
    if arguments.name:
        named = [each for each in shipped if each.name == arguments.name]
        if not named:
            raise UsageError(
                did_you_mean(arguments.name, {each.name for each in shipped}, "pipeline")
            )
        if arguments.json:
            print_json([_pipeline_facts(each) | {"text": each.text} for each in named])
            return 0
        for each in named:
            print(f"# {each.distribution}: {each.resource.path}")
            print(each.text)
        return 0
    facts = [_pipeline_facts(each) for each in shipped]
    if arguments.json:
        print_json(facts)
        return 0
    print_table(
        ("pipeline", "for", "from"),
        (
            (f"[bold]{each['name']}[/]", verbatim(each["for"]), each["distribution"])
            for each in facts
        ),
    )
    return 5 if any(each.broken for each in shipped) else 0


def _pipeline_facts(shipped: Shipped) -> dict[str, str]:
    broken = shipped.broken
    return {
        "name": shipped.name,
        "for": f"broken: {broken}" if broken else shipped.document.for_.describe(),
        "distribution": shipped.distribution,
    }


def configure_plugins(parser: argparse.ArgumentParser) -> None:
    """``heliodor plugins``."""
    parser.set_defaults(run=_plugins)


def _plugins(arguments: argparse.Namespace) -> int:
    plugins = registry().plugins
    if arguments.json:
        print_json(
            [
                {
                    "name": plugin.name,
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "module": plugin.module,
                    "state": plugin.state,
                    "error": plugin.error or None,
                    "deprecations": list(plugin.deprecations),
                    "offers": {hook: len(many) for hook, many in plugin.records.items() if many},
                }
                for plugin in plugins
            ]
        )
    else:
        print_table(
            ("plugin", "distribution", "version", "state", "offers"),
            (
                (
                    f"[bold]{plugin.name}[/]",
                    plugin.distribution,
                    plugin.version,
                    f"[red]failed[/] {plugin.error}" if plugin.error else plugin.state,
                    ", ".join(
                        _counted(len(many), hook.removeprefix("heliodor_").replace("_", " "))
                        for hook, many in plugin.records.items()
                        if many
                    ),
                )
                for plugin in plugins
            ),
        )
        for plugin in plugins:
            for deprecation in plugin.deprecations:
                console().print(f"[yellow]{plugin}[/]: {verbatim(deprecation)}", soft_wrap=True)
    return 5 if registry().failed else 0


def _counted(number: int, things: str) -> str:
    return f"1 {things.removesuffix('s')}" if number == 1 else f"{number} {things}"


def described(match: Match) -> str:
    """Say in words what exposures a match accepts."""
    if not match.keywords:
        return "every exposure"
    return ", ".join(f"{name} {' or '.join(values)}" for name, values in match.keywords.items())
