"""Whether a statement that came over HTTP may run: asks ClickHouse's own parser what it is, then
streams.embedded.clickhouse.statement_rules.

The parser gets the statement as a value (`parseQueryToJSON(unhex({text:String}))`), never as part of a statement, and
makes a tree of it only if it is one statement, to its end. A verdict is kept for statements that come again.
"""

from __future__ import annotations

import json
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping

from streams.embedded.clickhouse.access import Role
from streams.embedded.clickhouse.engine import Engine, insert_statement
from streams.embedded.clickhouse.engine_error import EngineError, refusal
from streams.embedded.clickhouse.setting_rules import check_setting
from streams.embedded.clickhouse.statement_rules import Known, check, check_bare, denied
from streams.embedded.clickhouse.statements import Insert

_KEPT = 1000
_KEPT_BYTES = 4096
"""Statements longer than this are parsed each time."""
_SPOOL = "the body"
_PARSE = {"max_query_size": str(16 << 20)}
_NO_JSON = re.compile(r"AST node of type '(\w+)[^']*' does not support JSON")

_SAFE_CATEGORIES = (
    *("Type Conversion", "Dates and Times", "Arrays", "String", "Geo", "Hash", "String Search", "JSON", "Mathematical"),
    *("URL", "Arithmetic", "Geo Polygon", "Map", "Comparison", "IP Address", "Tuple", "Time Series", "Distance"),
    *("Random Number", "Bitmap", "NumericIndexedVector", "Encoding", "UUID", "Bit", "String Splitting"),
    *("String Replacement", "Null", "Rounding", "Encryption", "Time Window", "Conditional", "Logical", "Financial"),
    "QBit",
)
# Functions of the categories Other and Internal that read no files, secrets or network, and do not merely wait.
_SAFE_OTHERS = """
_CAST caseWithExpression nested
FQDN MACNumToString MACStringToNum MACStringToOUI authenticatedUser bar blockNumber blockSerializedSize
blockSize byteSize colorOKLABToSRGB colorOKLCHToSRGB colorSRGBToOKLAB colorSRGBToOKLCH connectionId countDigits
currentDatabase currentProfiles currentQueryID currentRoles currentSchemas currentUser defaultProfiles
defaultRoles defaultValueOfArgumentType defaultValueOfTypeName digits displayName dumpColumnStructure
enabledProfiles enabledRoles errorCodeToName finalizeAggregation flipCoordinates formatQuery formatQueryFromJSON
formatQueryOrNull formatQuerySingleLine formatQuerySingleLineOrNull formatReadableDecimalSize
formatReadableQuantity formatReadableSize formatReadableTimeDelta generateRandomStructure
getMaxTableNameLengthForDatabase getMergeTreeSetting getSetting getSettingOrDefault getSizeOfEnumType
getSubcolumn getTypeSerializationStreams globalVariable hasThreadFuzzer highlightQuery hostName icebergBucket
icebergTruncate identity ignore indexHint initialQueryID initialQueryStartTime initializeAggregation isConstant
isDecimalOverflow lowCardinalityIndices lowCardinalityKeys materialize minSampleSizeContinuous
minSampleSizeConversion neighbor normalizeQuery normalizeQueryKeepNames normalizedQueryHash
normalizedQueryHashKeepNames obfuscateQuery obfuscateQueryWithSeed parseISO8601Duration parseQueryToJSON
parseReadableSize parseReadableSizeOrNull parseReadableSizeOrZero parseTimeDelta partitionId pgGetUserById
pgTableIsVisible queryID revision rowNumberInAllBlocks rowNumberInBlock runningAccumulate runningConcurrency
runningDifference runningDifferenceStartingWithFirstValue shardCount shardNum structureToCapnProtoSchema
structureToProtobufSchema throwIf toColumnTypeName toTypeName tokenizeQuery transactionID
transactionLatestSnapshot transactionOldestSnapshot transform uptime variantElement variantType version
visibleWidth
"""

_SAFE = """
SELECT lower(name), max(is_aggregate OR canonical.categories IN {safe:Array(String)}
    OR canonical.name IN {others:Array(String)})
FROM (SELECT name, is_aggregate, if(alias_to = '', name, alias_to) AS target FROM system.functions) AS f
LEFT JOIN (SELECT name, categories FROM system.functions WHERE alias_to = '') AS canonical ON canonical.name = f.target
GROUP BY 1
"""


class Admission:
    """The judge of one engine's HTTP interface. Blocking and thread-safe: call it from worker threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: Known | None = None
        self._admitted: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self._lock = threading.Lock()

    def admit(
        self, text: bytes, role: Role, database: str | None, params: Mapping[str, str], settings: Mapping[str, str]
    ) -> None:
        """Raise EngineError where the role may not run a statement with these parameters and settings, or where it is
        none, or more than one. database: that unqualified names are of."""
        if database == "system" and not role.writes:
            raise denied(role, "unqualified names of the database `system`")
        self._settings(settings, role)
        self._once(text, role, params, None)

    def admit_insert(self, insert: Insert, role: Role, settings: Mapping[str, str]) -> None:
        """The same for an INSERT whose rows are in the request's body."""
        params = self._insert_params(settings, role)
        self._once(_insert_text(insert), role, params, _SPOOL)

    def has_admitted(self, insert: Insert, role: Role, settings: Mapping[str, str]) -> bool:
        """Whether `admit_insert` would find the verdict kept, and admit: does not block. Raises EngineError as it does,
        for settings."""
        if self._known is None:
            return False
        params = self._insert_params(settings, role)
        return self._is_kept(_key(_insert_text(insert), role, params, _SPOOL))

    def _insert_params(self, settings: Mapping[str, str], role: Role) -> dict[str, str]:
        """The parameters among an insert's settings, of which the others are judged here."""
        self._settings({name: value for name, value in settings.items() if name[:6] != "param_"}, role)
        return {name[6:]: value for name, value in settings.items() if name[:6] == "param_"}

    def _settings(self, settings: Mapping[str, str], role: Role) -> None:
        for name, value in settings.items():
            check_setting(name, value, role, self.known.settings)

    def _once(self, text: bytes, role: Role, params: Mapping[str, str], infile: str | None) -> None:
        key = _key(text, role, params, infile)
        short = len(text) + sum(map(len, params.values())) <= _KEPT_BYTES
        if self._is_kept(key):
            return
        self._judge(text, role, params, infile)
        if short:
            with self._lock:
                self._admitted[key] = None
                if len(self._admitted) > _KEPT:
                    self._admitted.popitem(last=False)

    def _is_kept(self, key: tuple[object, ...]) -> bool:
        with self._lock:
            if key not in self._admitted:
                return False
            self._admitted.move_to_end(key)
            return True

    def _judge(self, text: bytes, role: Role, params: Mapping[str, str], infile: str | None) -> None:
        try:
            tree = self._parsed(text)
        except EngineError as error:
            without = _NO_JSON.search(str(error))
            if without is None:
                raise _plain(error) from None
            self._judge_bare(without[1], text, role, params)
        else:
            check(tree, role, self.known, params, infile)

    def _judge_bare(self, name: str, text: bytes, role: Role, params: Mapping[str, str]) -> None:
        spelled = self._call("formatQuerySingleLine", text)
        if name == "DescribeQuery" and spelled.startswith("DESCRIBE TABLE "):
            # What can be described is what can be selected from, and its clauses are the same.
            tree = self._parsed(b"SELECT * FROM " + spelled.removeprefix("DESCRIBE TABLE ").encode())
            check(tree, role, self.known, params)
        else:
            check_bare(name, spelled, role)

    def _parsed(self, text: bytes) -> dict[str, object]:
        try:
            tree = json.loads(self._call("parseQueryToJSON", text))
        except RecursionError:
            raise refusal(306, "TOO_DEEP_RECURSION", "The statement is nested too deeply") from None
        assert isinstance(tree, dict)
        return tree

    def _call(self, function: str, text: bytes) -> str:
        sql = f"SELECT {function}(unhex({{text:String}}))"
        answer = self._engine.query(sql, "RawBLOB", params={"text": text.hex()}, settings=_PARSE)
        return answer.data.decode(errors="replace")

    @property
    def known(self) -> Known:
        """What the engine knows; asked for once."""
        if self._known is None:
            safe = self._rows(_SAFE, {"safe": _array(_SAFE_CATEGORIES), "others": _array(_SAFE_OTHERS.split())})
            table_functions = self._rows("SELECT lower(name) FROM system.table_functions", {})
            settings = self._rows("SELECT name FROM system.settings", {})
            self._known = Known(
                {name: bool(int(value)) for name, value in safe},
                frozenset(row[0] for row in table_functions),
                frozenset(row[0] for row in settings),
            )
        return self._known

    def _rows(self, sql: str, params: Mapping[str, str]) -> list[list[str]]:
        data = self._engine.query(sql, "JSONCompactStringsEachRow", params=params).data
        return [json.loads(line) for line in data.splitlines()]


def _array(names: tuple[str, ...] | list[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


def _plain(error: EngineError) -> EngineError:
    """The parser's error without the call that it was made in, which quotes the statement once more."""
    text = re.sub(
        r": In scope SELECT (?:parseQueryToJSON|formatQuerySingleLine)\(.*\)\. \((\w+)\)",
        r". (\1)",
        str(error),
        flags=re.S,
    )
    return EngineError(text, error.code)


def _insert_text(insert: Insert) -> bytes:
    """The statement that is judged of an insert: the same whatever file its rows are in."""
    return insert_statement(insert.target, insert.format, _SPOOL, insert.clause).encode(errors="replace")


def _key(text: bytes, role: Role, params: Mapping[str, str], infile: str | None) -> tuple[object, ...]:
    """What a verdict is of. A parameter may stand for a name, and what it stands for counts."""
    return (role.name, infile, text, *sorted(params.items()))
