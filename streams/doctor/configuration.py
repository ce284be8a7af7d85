"""Checks of the settings by themselves: whether they fit together. Nothing is connected to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping

from schemas.wire import CONFLUENT
from streams.doctor.finding import Finding
from streams.settings import Settings
from streams.variables import misspelt, sentence


def findings(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    """All about the settings."""
    yield from variables(environment)
    if settings.wire == CONFLUENT and settings.registry is None:
        detail = "wire is confluent, and there is no registry: others cannot know the ids that are written"
        yield Finding("problem", "settings", detail, "set RIHLA_REGISTRY (--registry), or RIHLA_WIRE=single-object")
    model = _model(settings)
    yield model
    yield _alert_rules(settings)
    yield _segments(settings)
    yield from _routes(settings)
    if settings.deep:
        yield _second_reader()


def variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """RIHLA_ variables that nothing reads."""
    for name, nearest in misspelt(environment).items():
        remedy = f"unset {name}" + (f"; export {nearest}=..." if nearest else "")
        yield Finding("problem", "settings", sentence(name, nearest), remedy)


def _routes(settings: Settings) -> Iterator[Finding]:
    from streams.alerts.rules import RuleError, of
    from streams.deliver import routes
    from streams.model import company
    from streams.model.readers import ModelError
    from streams.report import pdf

    if settings.routes is None:
        yield Finding("ok", "routes", "none: nobody is told of alerts")
        return
    try:
        book = routes.load(settings.routes)
    except routes.RoutesError as error:
        yield Finding("problem", "routes", str(error), error.hint or "mend the file: RIHLA_ROUTES")
        return
    yield Finding("ok", "routes", f"{len(book.routes.routes)} to {len(book.routes.targets)} targets: {settings.routes}")
    if any(one.attach == "pdf" for one in book.routes.reports) and not any(map(shutil.which, pdf.NAMES)):
        detail = (
            "reports are to be PDF, and there is no Chromium to print with here: where there is none, HTML goes out"
        )
        yield Finding("problem", "routes", detail, 'apt install chromium where deliver runs, or attach = "html"')
    try:
        rules = of(company.load(settings.model, settings.alert_rules))
    except (RuleError, ModelError):
        return  # reported already
    for name in routes.unknown_rules(book, rules):
        detail = f"{settings.routes} names the rule {name!r}, which there is not: nothing matches it"
        yield Finding("problem", "routes", detail, f"one of {', '.join(rules)}")


def _second_reader() -> Finding:
    from streams.text import deep

    try:
        deep.installed()
    except deep.MissingEncoder as error:
        return Finding("problem", "second reader", str(error), deep.REMEDY)
    return Finding("ok", "second reader", "its encoder loads")


def _model(settings: Settings) -> Finding:
    from streams.model import company
    from streams.model.readers import ModelError

    try:
        model = company.load(settings.model)
    except ModelError as error:
        return Finding("problem", "model", str(error), error.hint or "mend the file: RIHLA_MODEL")
    detail = f"{model.hash}, {len(model.touchpoints)} touchpoints, {len(model.kinds.names)} kinds of identifiers"
    return Finding("ok", "model", f"{detail}: {settings.model or 'Rihla itself'}")


def _alert_rules(settings: Settings) -> Finding:
    from streams.alerts.rules import RuleError, of
    from streams.model import company
    from streams.model.readers import ModelError

    variable = "RIHLA_MODEL" if settings.alert_rules is None else "RIHLA_ALERT_RULES"
    try:
        model = company.load(settings.model, settings.alert_rules)
        rules = of(model)
    except ModelError as error:
        if settings.alert_rules is None:
            return Finding("note", "alert rules", "not looked at, as the model cannot be used")
        return Finding("problem", "alert rules", str(error), f"mend the file: {variable}")
    except RuleError as error:
        return Finding("problem", "alert rules", str(error), error.hint or f"mend the file: {variable}")
    own = settings.alert_rules is None and settings.model is None
    return Finding("ok", "alert rules", f"{len(rules)} of {'Rihla itself' if own else model.rules_source}")


def _segments(settings: Settings) -> Finding:
    from streams.model import company
    from streams.model.readers import ModelError
    from streams.segments.rules import SegmentError, of

    try:
        known = of(company.load(settings.model, settings.alert_rules)).by_name
    except ModelError:
        return Finding("note", "segments", "not looked at, as the model cannot be used")
    except SegmentError as error:
        return Finding("problem", "segments", str(error), error.hint or "mend the file: RIHLA_MODEL")
    return Finding("ok", "segments", ", ".join(known) or "none")
