"""What picture suits a named query's answer. A query that is not here is a list to read: nothing suits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Plot:
    """How an answer is drawn. Names are those of its columns.

    kind: bars, each with its margin; line, over time; funnel, stages from first to last. value: what is drawn. axis:
    what that is, with its unit. labels: what tells one mark from another; margin:
    half of the interval, or low and high: its ends. sample: what the value rests on.
    """

    kind: Literal["bars", "line", "funnel"]
    value: str
    axis: str
    labels: tuple[str, ...] = ("segment",)
    margin: str = ""
    low: str = ""
    high: str = ""
    sample: str = ""
    adds: bool = False
    """Whether the values of rows with the same labels are added up: counts are, means are not."""

    def columns(self) -> set[str]:
        """Every column that it names."""
        named = (self.value, *self.labels, self.margin, self.low, self.high, self.sample)
        return {name for name in named if name}


TIMES: Final = ("day", "month", "week")
"""Values of a query's parameter `by` that make a line over time of its bars."""

PLOTS: Final[Mapping[str, Plot]] = {
    "nps": Plot("bars", "nps", "NPS", margin="margin", sample="n"),
    "csat": Plot("bars", "csat", "CSAT, per cent", margin="margin", sample="n"),
    "ces": Plot("bars", "ces", "CES, 1 to 7 (easy)", margin="margin", sample="n"),
    "sentiment": Plot("bars", "mean", "mean sentiment, -1 to 1", margin="margin", sample="scores"),
    "aspects": Plot(
        "bars", "score", "mean sentiment, -1 to 1", ("aspect", "segment"), margin="margin", sample="scored"
    ),
    "journey_map": Plot(
        "bars", "sentiment", "mean sentiment, -1 to 1", ("segment", "medium"), "margin", sample="scored"
    ),
    "channels": Plot("bars", "sentiment", "mean sentiment, -1 to 1", ("channel", "medium"), sample="interactions"),
    "channel_gaps": Plot(
        *("bars", "sentiment_gap", "gap in sentiment", ("channel", "other"), "sentiment_margin"), sample="sentiment_n"
    ),
    "places": Plot("bars", "sentiment", "mean sentiment, -1 to 1", ("unit",), "margin", sample="scored"),
    "staff": Plot("bars", "sentiment", "mean sentiment, -1 to 1", ("who",), "margin", sample="scores"),
    "sentiment_trend": Plot("bars", "change", "change of the score", ("segment",), "margin", sample="judged"),
    "defects": Plot(
        *("bars", "per_thousand", "defects per thousand journeys", ("aspect", "segment")),
        low="low",
        high="high",
        sample="journeys",
    ),
    "halal_readiness": Plot(
        *("bars", "share", "share of evidence for", ("unit", "need")),
        low="low",
        high="high",
        sample="evidence",
    ),
    "repeat": Plot("bars", "repeat_rate", "repeated, per cent", ("cohort",), "margin", sample="mature"),
    "responses": Plot("bars", "rate", "answered, per cent", margin="margin", sample="asked"),
    "referral": Plot("bars", "share", "referred, per cent", ("profile",), "margin", sample="customers"),
    "cases": Plot("bars", "first_contact", "settled at first contact, per cent", margin="margin", sample="cases"),
    "service_recovery": Plot("bars", "change", "change of sentiment", ("touchpoint",), sample="compared"),
    "pain_points": Plot("bars", "pain", "pain", ("touchpoint",), sample="volume"),
    "profiles": Plot("bars", "customers", "customers", ("profile",)),
    "segments": Plot("bars", "customers", "customers", ("segment",)),
    "transitions": Plot("bars", "customers", "customers", ("from_profile", "to_profile")),
    "profile_change": Plot("bars", "customers", "customers", ("segment", "from_profile", "to_profile")),
    "net_flow": Plot("line", "advocate", "net change of advocates", ("week",), adds=True),
    "alert_response": Plot("bars", "alerts", "alerts"),
    "sla": Plot("bars", "responded", "responded in time, per cent", sample="alerts"),
    "seasons": Plot("bars", "sentiment", "mean sentiment, -1 to 1", ("season",), sample="interactions"),
    "spend": Plot("bars", "kept_share", "money kept, per cent", ("segment", "currency"), sample="journeys"),
    "value_at_risk": Plot("bars", "of_all", "of all spend, per cent", ("currency",), sample="customers"),
    "time_between_stages": Plot("bars", "median_days", "median days", ("from_stage", "to_stage"), sample="journeys"),
    "open_journeys": Plot("bars", "journeys", "journeys", ("status", "status_now")),
    "language_coverage": Plot("bars", "texts", "texts", ("language",)),
    "late_answers": Plot("bars", "late", "late answers", sample="answered"),
    "dead_letters": Plot("bars", "letters", "letters", ("topic", "reason")),
    "deliveries": Plot("bars", "deliveries", "deliveries", ("target", "status")),
    "units_losing_advocates": Plot("bars", "lost", "advocates lost", ("unit",), sample="customers"),
    "paths": Plot("bars", "share", "share of what follows", ("touchpoint", "next"), sample="times"),
    "unknown_touchpoints": Plot("bars", "events", "events", ("touchpoint",)),
    "funnel": Plot("funnel", "journeys", "journeys", ("stage",)),
}
"""By name of the query."""


def plot_of(name: str, by: str | None) -> Plot | None:
    """The picture of a query that is grouped by `by`, or None where none suits."""
    found = PLOTS.get(name)
    if found is not None and found.kind == "bars" and by in TIMES:
        return replace(found, kind="line")
    return found
