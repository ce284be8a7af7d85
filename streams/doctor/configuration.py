"""What the settings say, and whether it fits together; nothing is connected to."""

from __future__ import annotations

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
    yield _alert_rules(settings)
    yield from _routes(settings)


def variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """RIHLA_ variables that nothing reads."""
    for name, nearest in misspelt(environment).items():
        remedy = f"unset {name}" + (f"; export {nearest}=..." if nearest else "")
        yield Finding("problem", "settings", sentence(name, nearest), remedy)


def _routes(settings: Settings) -> Iterator[Finding]:
    from streams.alerts.rules import RuleError, load
    from streams.deliver import routes

    if settings.routes is None:
        yield Finding("ok", "routes", "none: nobody is told of alerts")
        return
    try:
        book = routes.load(settings.routes)
    except routes.RoutesError as error:
        yield Finding("problem", "routes", str(error), error.hint or "mend the file: RIHLA_ROUTES")
        return
    yield Finding("ok", "routes", f"{len(book.routes.routes)} to {len(book.routes.targets)} targets: {settings.routes}")
    try:
        rules = load(settings.alert_rules)
    except RuleError:
        return  # reported already
    for name in routes.unknown_rules(book, rules):
        detail = f"{settings.routes} names the rule {name!r}, which there is not: nothing matches it"
        yield Finding("problem", "routes", detail, f"one of {', '.join(rules)}")


def _alert_rules(settings: Settings) -> Finding:
    from streams.alerts.rules import RuleError, load

    try:
        rules = load(settings.alert_rules)
    except RuleError as error:
        return Finding("problem", "alert rules", str(error), error.hint or "mend the file: RIHLA_ALERT_RULES")
    return Finding("ok", "alert rules", f"{len(rules)} of {settings.alert_rules or 'Rihla itself'}")
