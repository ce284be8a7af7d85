"""Logs as lines of JSON: each line is an object, whatever happened, and holds no secret."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from schemas import masking
from schemas.masking import HIDDEN
from streams.logs import JsonLines

ROOT = Path(__file__).parents[2]
CANARY = 'cAn"A\\rY\né-0s3cr3t'
"""With what JSON escapes: masked after it was written as JSON, it would not be found."""

CRASH = """
import gc, logging, os, sys, threading, warnings
from schemas.masking import learn
from streams.cli import main
from streams.logs import configure_logging
canary = os.environ["CANARY"]
learn(canary)

class Ends:
    def __del__(self):
        raise ValueError(canary)

class Group:
    def make_context(self, *arguments):
        logging.getLogger("library." + canary).error("said %s", canary, stack_info=True)
        logging.getLogger("library").error("%d does not fit %s", canary)
        logging.getLogger("library").warning("a file \\udcff, http://user:%s@host/", "p4ssw0rd")
        thread = threading.Thread(target=int, args=(canary,), name="helper")
        thread.start()
        thread.join()
        warnings.warn("old: " + canary, UserWarning)
        Ends()
        gc.collect()
        configure_logging("stitch", "json")
        raise ArithmeticError("a defect at " + canary) from KeyError(canary)

main.cli = Group()
sys.exit(main.main([]))
"""


def lines(printed: str) -> list[dict[str, Any]]:
    """The objects of all lines; fails where one is none."""
    return [json.loads(line) for line in printed.splitlines()]


def run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with JSON logs."""
    env = {**os.environ, "RIHLA_LOG_FORMAT": "json", **variables}
    return subprocess.run([sys.executable, *command], env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_line_of_a_crash_is_an_object_without_a_secret() -> None:
    ended = run(["-c", CRASH], CANARY=CANARY)
    told = lines(ended.stderr)
    assert ended.returncode == 1
    for field in (text for line in told for text in line.values() if text):
        assert CANARY not in field
        assert repr(CANARY)[1:-1] not in field
        assert "p4ssw0rd" not in field
    loggers = {line["logger"] for line in told}
    assert loggers >= {f"library.{HIDDEN}", "library", "streams.logs", "py.warnings"}
    assert [line["message"] for line in told if "does not fit" in line["message"]]
    assert "said ***" in {line["message"] for line in told}
    assert any("stack" in line for line in told)
    last = told[-1]
    assert (last["level"], last["worker"], last["logger"]) == ("CRITICAL", "stitch", "streams.cli.main")
    assert f"ArithmeticError: a defect at {HIDDEN}" in last["exception"]
    assert "KeyError" in last["exception"]


def test_what_is_wrong_at_the_start_is_an_object_too() -> None:
    worker = ["-m", "streams.cli", "worker", "enrich", "--metrics-port", "0"]
    (wrong,) = lines(run(worker, RIHLA_SESSION_TIMEOUT="many").stderr)
    assert (wrong["level"], wrong["worker"]) == ("CRITICAL", "enrich")
    assert "RIHLA_SESSION_TIMEOUT: 'many' is not a number (what to do: " in wrong["message"]
    (usage,) = lines(run(["-m", "streams.cli", "worker", "enrich", "--no-such-option"]).stderr)
    assert (usage["message"], usage["worker"]) == ("rihla: No such option: --no-such-option", None)


def test_fields_of_a_line() -> None:
    record = logging.LogRecord("streams.x", logging.INFO, "", 1, "read %d\nlines", (3,), None)
    line = json.loads(JsonLines("sink").format(record))
    assert datetime.fromisoformat(line.pop("time")).timestamp() == round(record.created - 0.0005, 3)
    assert line == {"level": "INFO", "logger": "streams.x", "message": "read 3\nlines", "worker": "sink"}


@given(st.text(max_size=40), st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=6, max_size=12))
def test_any_text_is_one_line_and_a_learnt_secret_is_in_none(text: str, secret: str) -> None:
    record = logging.LogRecord(text, logging.INFO, "", 1, "%s", (f"{text}~{secret}~",), None)
    with patch.object(masking, "_known", set()):
        masking.learn(f"~{secret}~")
        line = JsonLines(f"~{secret}~").format(record)
    assert "\n" not in line
    assert not [field for field in json.loads(line).values() if f"~{secret}~" in field]
