"""Which columns are personal data: the one declaration from which roles, pseudonymised views and docs are made.

Each column of each view has one of four classes. A column, view or table that is in none of these lists fails
`tests/integration/test_clickhouse_roles.py`, and `rihla migrate --roles` refuses to show it to an analyst.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

PLAIN: Final = "plain"
"""Identifies nobody: shown unchanged."""
NAME: Final = "name"
"""Names a customer, as `kind:value` or the value alone: the value becomes a pseudonym, the kind stays."""
IDENTIFIER: Final = "identifier"
"""Names a person, or something of one person (event, booking, case, member of staff): becomes a pseudonym."""
TEXT: Final = "text"
"""Free text, or a value that may hold some: shown as `[hidden]`; maps are shown empty."""

Class = Literal["plain", "name", "identifier", "text"]
Rule = Class | Mapping[str, Class]
"""The class of a column; of tuples, and arrays of tuples, the class of each field by name. Other fields are plain."""


def _all(rule: Rule, names: str) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


COLUMNS: Mapping[str, Rule] = {
    **_all(NAME, "customer_id subject group_id"),
    **_all(IDENTIFIER, "event_id booking_ref journey_id case_id alert_id move_id thing_id agent_id value seat room"),
    **_all(IDENTIFIER, "attributed_agents key handler person assigned_to alerts guide worst_unit about"),
    **_all(IDENTIFIER, "invitation_id message_id judged_by"),
    **_all(TEXT, "text attributes payload detail error note"),
    "ids": {"value": IDENTIFIER},
    "identifiers": {"value": IDENTIFIER},
    "preferences": {"value": TEXT},
    "stays": {"agents": IDENTIFIER},
    "ended": {"agents": IDENTIFIER},
    # What happened, where and when.
    **_all(PLAIN, "occurred_at channel touchpoint medium unit locale country survey money language score score_source"),
    **_all(PLAIN, "score_weight conflict aspects party_size nights lead_days arrival_date package meal_plan room_type"),
    **_all(PLAIN, "waiting_days special_requests wait_seconds delay_minutes delay_code facility service platform"),
    **_all(PLAIN, "reach aspect_ratings attributed_unit unit_basis agents_basis properties desks milestones"),
    # Journeys, customers, cases, alerts, moves.
    **_all(PLAIN, "kind status started_at last_event_at span_start span_end booked_at cancelled_at no_show_at"),
    **_all(PLAIN, "checked_in_at arrived_at checked_out_at interactions booking_interactions check_in_interactions"),
    **_all(PLAIN, "stay_interactions post_travel_interactions score_sum score_count lowest_score lowest_touchpoint"),
    **_all(PLAIN, "nps csat ces stars spend cases_opened cases_resolved profile sentiment_7d sentiment_30d"),
    **_all(PLAIN, "sentiment_90d evidence journeys first_event_at open_cases profile_now sentiment_now shared"),
    **_all(PLAIN, "opened_at first_response_at resolved_at reopened_at contacts rule severity raised_at closed_at"),
    **_all(PLAIN, "acknowledged_at from_profile to_profile told_at priority action cause at customers"),
    **_all(PLAIN, "spend_booked spend_kept spend_lost first_at status_now assumed ends_at stage lasts_ms becomes plan"),
    **_all(PLAIN, "grace_ms arrival hash source recorded_at until answer snoozed_until respond_by resolve_by"),
    **_all(PLAIN, "responded_in_time resolved_in_time began_at last_at open held planned_arrival planned_departure"),
    # Groups.
    **_all(PLAIN, "bus tent floor said_at customers_now incidents last_incident last_incident_at score_count"),
    **_all(PLAIN, "sentiment margin score_squares"),
    # Consent.
    **_all(PLAIN, "purpose state since consents"),
    **_all(PLAIN, "tier causes owner segment rank severities brands tiers respond_ms resolve_ms"),
    **_all(PLAIN, "day place chosen drawn propensity propose uplift case_touchpoint decided_at"),
    **_all(PLAIN, "aspect asks sent_at answered_at expires_at judged_at"),
    # Targets.
    **_all(PLAIN, "metric period units minimum breach_id starts actual low high n observed_at"),
    # Drivers.
    **_all(PLAIN, "run_id r2 r2_controls tested_r2 tested_r2_controls driver share effect effect_low effect_high"),
    # What actions changed.
    **_all(PLAIN, "action_name acted_on units_acted comparable n_before n_after n_comparable p placebos covered"),
    **_all(PLAIN, "computed_at verdict expected alarm tested_days tested_alarms tested_within"),
    # Churn.
    **_all(PLAIN, "model_id fitted_at known_until horizon_days sample intercept weights tested_at tested churned auc"),
    **_all(PLAIN, "auc_margin brier brier_base useful deciles risk decile tested_churn reasons ended_at"),
    # Deliveries and dead letters.
    **_all(PLAIN, "target thing_version attempts code published_at changed_at topic partition offset reason failed_at"),
    **_all(PLAIN, "version epoch"),
    # Of the company and of the calendar.
    **_all(PLAIN, "valid_from valid_until name parent brand region timezone currency latitude longitude prayer_method"),
    **_all(PLAIN, "capacity base rate into digits date hijri_year hijri_month hijri_day month_name season days"),
    **_all(PLAIN, "place ramadan ramadan_next fajr sunrise dhuhr asr maghrib isha midnight"),
    **_all(PLAIN, "prayer_window begins_at ends_at local_time hijri_date hijri_date_from_sunset ramadan_meal"),
    **_all(PLAIN, "response_seconds prayer_seconds"),
}
"""Classes by column name, in every view."""

EXCEPTIONS: Mapping[tuple[str, str], Rule] = {
    ("alerts", "reason"): TEXT,
    ("alerts_attributed", "reason"): TEXT,
    ("next_actions", "reason"): TEXT,
    ("next_actions", "evidence"): TEXT,
    ("next_best_actions", "reason"): TEXT,
    ("next_best_actions", "evidence"): TEXT,
}
"""Classes of columns whose name means something else in one view, by (view, column)."""


def rule_of(view: str, column: str) -> Rule | None:
    """The class of a column; None where none is declared."""
    return EXCEPTIONS.get((view, column)) or COLUMNS.get(column)


@dataclass(frozen=True, slots=True)
class Store:
    """A table underneath the views. of_persons: whether `rihla forget` deletes rows from it."""

    name: str
    of_persons: bool = True
    operations: bool = True
    """Whether the operations role may read it, through views."""
    engineer: bool = False
    """Whether the engineer role may read the table itself."""


STORES: tuple[Store, ...] = (
    Store("interactions_store"),
    Store("interactions_by_time_store"),
    Store("interaction_days_store", operations=False),
    Store("interactions_resolved_store"),
    Store("unresolved_store", operations=False),
    Store("resolving_store", operations=False),
    Store("resolution_store", operations=False),
    Store("identities_store"),
    Store("journeys_store"),
    Store("customers_store"),
    Store("cases_store"),
    Store("alerts_store"),
    Store("moves_store"),
    Store("segments_store"),
    Store("next_actions_store"),
    Store("deliveries_store"),
    Store("invitations_store"),
    Store("messages_store"),
    Store("lookups_store", operations=False),
    Store("churn_risk_store"),
    Store("churn_models_store", of_persons=False),
    Store("units_store", of_persons=False, engineer=True),
    Store("prayer_times_store", of_persons=False, engineer=True),
    Store("rates_store", of_persons=False, engineer=True),
    # Operations read it as well: the view left_out, which interactions reads, depends on it.
    Store("dead_letters_store", engineer=True),
    Store("replays_store", of_persons=False, engineer=True),
    Store("erasures_store", of_persons=False, operations=False),
    Store("models_store", of_persons=False, engineer=True),
    Store("stages_store", of_persons=False, engineer=True),
    Store("sla_targets_store", of_persons=False, engineer=True),
    Store("actions_known_store", of_persons=False, engineer=True),
    Store("targets_store", of_persons=False, engineer=True),
    Store("target_breaches_store", of_persons=False),
    Store("drivers_store", of_persons=False),
    Store("action_effects_store", of_persons=False),
    Store("anomalies_store", of_persons=False),
    Store("calls_store"),
    Store("schema_migrations", of_persons=False, operations=False, engineer=True),
)

FILLED: tuple[str, ...] = (
    *("interactions_by_time_filled", "interactions_by_time_corrected", "interaction_days_filled"),
    *("interactions_resolved_filled", "unresolved_by_interactions", "unresolved_by_identities"),
    "unresolved_by_journeys",
)
"""Materialised views: what is inserted goes through them, and nobody reads them."""

OWNERS: tuple[str, ...] = ("lookups", "erasures")
"""Views that only the owner may read: who looked at whom, and who asked to be forgotten."""
INNER: tuple[str, ...] = ("left_out",)
"""Views that exist only for other views."""

ANALYSTS: tuple[str, ...] = (
    *(
        "interactions",
        "contacts",
        "interactions_attributed",
        "journeys",
        "journeys_attributed",
        "cases",
        "cases_attributed",
    ),
    *("alerts", "alerts_attributed", "moves", "moves_attributed", "customers", "customers_now", "customer_spend"),
    *("journey_spend", "identities", "improvements_told", "next_actions", "next_best_actions", "profile_flow"),
    *(
        "churn_risk",
        "churn_models",
        "milestones",
        "stays",
        "units",
        "unit_levels",
        "rates",
        "exchange",
        "currencies",
        "hijri",
    ),
    *("weekends", "deliveries", "dead_letters", "answers", "alert_sla", "incidents", "journeys_now", "plans", "stages"),
    *("models", "sla_targets", "consents", "consent_history", "memberships", "group_cells", "groups"),
    *("invitations", "messages"),
    *("prayer_times", "prayer_windows", "unit_places", "interactions_local", "case_response"),
    *("segments", "actions_known", "calls", "targets", "target_breaches", "drivers", "action_effects", "anomalies"),
)
"""Views that analysts have under the same names, with pseudonyms and without texts."""

ATTRIBUTED: tuple[str, ...] = ("interactions", "journeys", "cases", "alerts", "moves")
"""Views that unit managers have with the columns of NAME_attributed: rows of their units, by `attributed_unit`."""
OWNED: tuple[str, ...] = ("cases", "alerts", "moves")
"""Those of them that somebody has to act on, by `owner`: the unit, or the care centre where no unit is known."""
OF_JOURNEYS: tuple[str, ...] = ("milestones", "stays", "journey_spend", "journeys_now")
"""Views with a row a journey, which gives managers' rows their `attributed_unit`."""
OF_UNITS: tuple[str, ...] = ("interactions_local", "case_response")
"""Views with an `attributed_unit` of their own, of which managers have the rows of their units."""
REFERENCE: tuple[str, ...] = (
    *("units", "unit_levels", "unit_places", "rates", "exchange", "currencies", "hijri", "weekends", "stages"),
    *("sla_targets", "targets", "actions_known", "prayer_times", "prayer_windows"),
)
"""Views without personal data, which managers see in full."""
