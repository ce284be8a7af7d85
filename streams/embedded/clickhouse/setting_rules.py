"""The settings that a request may have, in its URL or in a SETTINGS clause.

A list of what is allowed, because settings name files (format_schema, format_template_row, output_format_schema), turn
the parser into another (dialect), undo limits and readonly, or reach the network; and each release brings new ones.
"""

from __future__ import annotations

import math

from streams.embedded.clickhouse.access import Role
from streams.embedded.clickhouse.engine_error import refusal

_PREFIXES = (
    *("output_format_", "input_format_", "date_time_", "join_", "group_by_", "distinct_", "optimize_", "cast_"),
    *("format_csv_", "format_tsv_", "format_regexp_", "format_display_", "async_insert", "insert_", "http_", "enable_"),
    *("allow_experimental_", "allow_suspicious_", "max_bytes_before_external_", "min_insert_block_size_"),
)
_NOT = frozenset(
    (
        "output_format_schema",  # the path of a file to be written
        "enable_json_ast_dialect",
        "allow_experimental_kusto_dialect",
        "allow_experimental_prql_dialect",
        "allow_experimental_time_series_table",
    )
)
_NAMES = frozenset(
    (
        *(
            "max_threads",
            "max_block_size",
            "max_execution_time",
            "max_memory_usage",
            "max_query_size",
            "max_rows_to_read",
        ),
        *("max_bytes_to_read", "max_result_rows", "max_result_bytes", "max_rows_to_group_by", "max_rows_in_join"),
        *("max_bytes_in_join", "max_rows_in_set", "max_rows_to_sort", "max_rows_in_distinct", "max_rows_to_transfer"),
        *("timeout_overflow_mode", "result_overflow_mode", "read_overflow_mode", "sort_overflow_mode"),
        *(
            "max_insert_block_size",
            "max_insert_threads",
            "max_partitions_per_insert_block",
            "materialized_views_ignore_errors",
        ),
        *(
            "session_timezone",
            "extremes",
            "final",
            "limit",
            "offset",
            "log_comment",
            "log_queries",
            "log_profile_events",
        ),
        *(
            "union_default_mode",
            "intersect_default_mode",
            "except_default_mode",
            "transform_null_in",
            "any_join_distinct_right_table_keys",
        ),
        *(
            "aggregate_functions_null_for_empty",
            "empty_result_for_aggregation_by_empty_set",
            "short_circuit_function_evaluation",
        ),
        *("prefer_column_name_to_alias", "asterisk_include_alias_columns", "asterisk_include_materialized_columns"),
        *("mutations_sync", "alter_sync", "lightweight_deletes_sync", "replication_alter_partitions_sync"),
        *(
            "select_sequential_consistency",
            "deduplicate_blocks_in_dependent_materialized_views",
            "throw_on_max_partitions_per_insert_block",
        ),
        *("wait_for_async_insert", "send_progress_in_http_headers", "cancel_http_readonly_queries_on_client_close"),
        *("connect_timeout", "receive_timeout", "send_timeout", "add_http_cors_header", "use_uncompressed_cache"),
        *("use_query_cache", "use_skip_indexes", "use_skip_indexes_if_final", "totals_mode", "partial_merge_join"),
        "count_distinct_implementation",
        *(
            "decimal_check_overflow",
            "allow_nondeterministic_mutations",
            "show_table_uuid_in_table_create_query_if_not_nil",
        ),
        *(
            "regexp_max_matches_per_row",
            "function_range_max_elements_in_block",
            "priority",
            "analyzer_compatibility_join_using_top_level_identifier",
        ),
        *("compile_expressions", "parallel_replicas_count", "interval_output_format", "bool_true_representation"),
        *(
            "bool_false_representation",
            "precise_float_parsing",
            "validate_polygons",
            "validate_enum_literals_in_operators",
        ),
    )
)
_WITHOUT_EFFECT = frozenset(("http_response_headers", "http_write_exception_in_output_format"))
"""What the interface in front of the engine would have to do, and does not. Clients may say that they want none."""
# The most that anybody may ask for. Beyond it, one request could exhaust the memory, or the parser its stack.
_MOST = {
    "max_query_size": 16 << 20,
    "max_block_size": 1 << 20,
    "max_insert_block_size": 16 << 20,
    "max_insert_threads": 8,
}


def check_setting(name: str, value: str, role: Role, known: frozenset[str]) -> None:
    """Raise EngineError where a role may not have a setting, or not this value. known: the engine's own settings."""
    if name not in known:
        raise refusal(115, "UNKNOWN_SETTING", f"Unknown setting '{name}'")
    if name in _NOT or not (name in _NAMES or name.startswith(_PREFIXES)):
        raise refusal(497, "ACCESS_DENIED", f"{role.name}: the setting {name} cannot be changed over HTTP")
    if name in _WITHOUT_EFFECT and value not in ("", "0", "false", "{}"):
        raise refusal(48, "NOT_IMPLEMENTED", f"The setting {name} has no effect on the embedded engine")
    most = float(role.limits.get(name, _MOST.get(name, "inf")))
    if math.isinf(most):
        return
    number = _number(value)
    if not 0 < number <= most:  # 0 would be no limit at all
        raise refusal(
            452,
            "SETTING_CONSTRAINT_VIOLATION",
            f"{role.name}: the setting {name} must be above 0 and at most {most:.0f}",
        )


def _number(text: str) -> float:
    """The value; one that is no plain number is no number at all, and so refused."""
    try:
        return float(text)
    except ValueError:
        return math.nan
