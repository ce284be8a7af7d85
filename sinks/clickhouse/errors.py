"""Classes of ClickHouse errors: those that may pass, those of a row that cannot be stored, those of a wrong set-up.

Codes and names are those of ClickHouse's src/Common/ErrorCodes.cpp.
"""

from __future__ import annotations

import re

from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

# The same insert may succeed later, unchanged. Whether it took effect the first time is unknown for some of them.
RETRIABLE: dict[int, str] = {
    3: "UNEXPECTED_END_OF_FILE",
    74: "CANNOT_READ_FROM_FILE_DESCRIPTOR",
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
    76: "CANNOT_OPEN_FILE",
    77: "CANNOT_CLOSE_FILE",
    95: "CANNOT_READ_FROM_SOCKET",
    96: "CANNOT_WRITE_TO_SOCKET",
    107: "FILE_DOESNT_EXIST",
    159: "TIMEOUT_EXCEEDED",
    164: "READONLY",
    173: "CANNOT_ALLOCATE_MEMORY",
    198: "DNS_ERROR",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    244: "UNEXPECTED_ZOOKEEPER_ERROR",
    252: "TOO_MANY_PARTS",
    254: "NO_ACTIVE_REPLICAS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    286: "UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE",
    290: "LIMIT_EXCEEDED",
    319: "UNKNOWN_STATUS_OF_INSERT",
    373: "SESSION_IS_LOCKED",
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    439: "CANNOT_SCHEDULE_TASK",
    473: "DEADLOCK_AVOIDED",
    499: "S3_ERROR",
    574: "DISTRIBUTED_TOO_MANY_PENDING_BYTES",
    722: "ASYNC_LOAD_WAIT_FAILED",
    745: "SERVER_OVERLOADED",
    999: "KEEPER_EXCEPTION",
}

# Some row of the insert cannot be stored, ever: isolate it.
DATA: dict[int, str] = {
    6: "CANNOT_PARSE_TEXT",
    20: "NUMBER_OF_COLUMNS_DOESNT_MATCH",
    26: "CANNOT_PARSE_QUOTED_STRING",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    33: "CANNOT_READ_ALL_DATA",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    131: "TOO_LARGE_STRING_SIZE",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    395: "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO",
    407: "DECIMAL_OVERFLOW",
    469: "VIOLATED_CONSTRAINT",
    636: "CANNOT_EXTRACT_TABLE_STRUCTURE",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}

_STATUS = re.compile(r"HTTP status (\d{3})")
_STD_EXCEPTION = 1001
_FULL = re.compile(r"No space left on device|Disk quota exceeded")
"""Text of a STD_EXCEPTION, which may mean anything, when a folder cannot be made on a disk without space or inodes."""


class ClickHouseUnavailableError(ConnectionError):
    """ClickHouse does not answer at its address, or is not ready yet; it may be later."""


class ClickHouseRefusedError(RuntimeError):
    """ClickHouse answers but refuses the connection: wrong user or password, no such database."""


def is_retriable(error: BaseException) -> bool:
    """Whether the same call may succeed later: no connection, an overloaded or restarting server, a full disk.

    Errors that are neither this nor `is_data_error` concern the set-up (no such table, access denied): only a person
    can mend them.
    """
    if isinstance(error, (ClickHouseUnavailableError, ConnectionError, TimeoutError)):
        return True
    if not isinstance(error, DatabaseError):
        return False
    if error.code is not None:
        return error.code in RETRIABLE or (error.code == _STD_EXCEPTION and _FULL.search(str(error)) is not None)
    status = _STATUS.search(str(error))
    if status:  # no ClickHouse error behind it: a proxy or load balancer answered
        return int(status.group(1)) >= 500 or int(status.group(1)) in (408, 429)
    return isinstance(error, OperationalError)  # the request itself failed


def is_for_a_person(error: BaseException) -> bool:
    """Whether ClickHouse may answer once somebody has mended user, password, certificate or database: the same call is
    tried again until then, as nothing is known against its rows."""
    return isinstance(error, ClickHouseRefusedError)


def is_data_error(error: BaseException) -> bool:
    """Whether the rows of the insert are at fault, so that it may succeed without some of them."""
    return isinstance(error, DatabaseError) and error.code in DATA


def in_short(error: BaseException) -> str:
    """One line: ClickHouse's own message, or, if it sent none, that of the cause ("Connection refused").

    The HTTP client's messages hold the whole story of its attempts, and the URL with it.
    """
    if isinstance(error, DatabaseError) and error.code is None and not _STATUS.search(str(error)):
        cause: BaseException = error
        while (below := cause.__cause__ or cause.__context__) is not None:
            cause = below
        if isinstance(cause, OSError):
            return cause.strerror or str(cause) or type(cause).__name__
    return " ".join(str(error).split())


RETRY_CODES = ("connection", *map(str, RETRIABLE), str(_STD_EXCEPTION))
"""The labels that `retry_code` gives to errors that are retriable."""


def retry_code(error: BaseException) -> str:
    """The label of an error in metrics: ClickHouse's code, or `connection` where it gave none."""
    code = error.code if isinstance(error, DatabaseError) else None
    return "connection" if code is None else str(code)
