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


def variables(environment: Mapping[str, str]) -> Iterator[Finding]:
    """RIHLA_ variables that nothing reads."""
    for name, nearest in misspelt(environment).items():
        remedy = f"unset {name}" + (f"; export {nearest}=..." if nearest else "")
        yield Finding("problem", "settings", sentence(name, nearest), remedy)


def _alert_rules(settings: Settings) -> Finding:
    from streams.alerts.rules import RuleError, load

    try:
        rules = load(settings.alert_rules)
    except RuleError as error:
        return Finding("problem", "alert rules", str(error), error.hint or "mend the file: RIHLA_ALERT_RULES")
    return Finding("ok", "alert rules", f"{len(rules)} of {settings.alert_rules or 'Rihla itself'}")
