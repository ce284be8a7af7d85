"""`rihla rebuild`: a changed model restates history, as if it had held from the first event on."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from streams.sources.simulate import Options, write
from tests.support.exactness import rihla, tables, view_rows

pytestmark = pytest.mark.slow
MODEL = {
    "touchpoints.csv": "name,channel,milestone,prior,effort,case_role,aspect,doc\n"
    "booking.part_cancelled,booking,cancelled,,3,,,As if all were cancelled\n"
    "check_in.queue_waited,check_in,,-0.9,4,,spa,Queue\n",
    "aspects.csv": "name,parent,language,words,doc\nspa,,en,room;clean,Water\n",
    "stages.toml": '[booked]\nlasts = "10d"\nthen = "forgotten"\n',
    "identifiers.toml": 'block = ["NOBODY-AT-ALL"]\ndefault_brand = "noor"\n'
    '[[kind]]\nname = "customer"\nlimit = 1\nscope = "brand"\n[[kind]]\nname = "email_sha256"\nlimit = 1\n'
    '[[brand]]\nname = "noor"\nunits = ["Makkah*"]\n[[brand]]\nname = "safa"\nunits = ["London*", "Antalya*"]\n',
}
NOBODY = {
    "channel": "stay",
    "event_id": "6f3c2a52-3d0e-4f6c-9a0f-1d1f0f7f0a02",
    "occurred_at": "2024-03-03T14:05:00Z",
    "ids": [{"kind": "device", "value": "NOBODY-AT-ALL"}],
    "touchpoint": "stay.arrived",
    "medium": "web",
}
MADE_UNDER = "SELECT hash FROM models ORDER BY recorded_at DESC LIMIT 1"


def test_a_folder_is_what_the_new_model_makes_of_its_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events, old, new, model = (tmp_path / name for name in ("events.jsonl", "old", "new", "model"))
    write(Options(customers=60, duplicates=0.2, disorder=1, part_cancelled=0.5, seed=3), events)
    with events.open("ab") as file:
        file.write(orjson.dumps(NOBODY) + b"\n")
    model.mkdir()
    for name, text in MODEL.items():
        (model / name).write_text(text, "utf-8")
    rihla("run", str(events), "--data", str(old))
    (before,) = view_rows(old, MADE_UNDER)
    monkeypatch.setenv("RIHLA_MODEL", str(model))
    rihla("rebuild", "--data", str(old), "--workers", "2", status=3)
    rihla("verify", "--data", str(old))
    rihla("run", str(events), "--data", str(new), status=3)
    rebuilt = tables(old)
    assert rebuilt == tables(new)
    assert any(row["status"] == "cancelled" for row in rebuilt["journeys"])
    assert {row["customer_id"] for row in rebuilt["customers"] if "safa/" in row["customer_id"]}
    (after,) = view_rows(old, MADE_UNDER)
    assert [after] == view_rows(new, MADE_UNDER) != [before]
    letters = "SELECT reason, detail LIKE '%rebuild%' AS told FROM dead_letters"
    assert view_rows(old, letters) == [{"reason": "no_identifier", "told": True}]
