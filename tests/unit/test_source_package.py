"""The example of a package that adds a source: installed, and its format is one of Rihla's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples/source-package"
PROGRAM = """
import json, sys
from streams.sources.adapters import open_source
from streams.sources.events import SourceError
[batch] = open_source(sys.argv[1], "minibar")
said = []
for name in ("nothing", "broken"):
    try:
        open_source(sys.argv[1], name)
    except SourceError as error:
        said.append(str(error))
print(json.dumps([batch.frame["money"].to_list(), batch.lines, [one.line for one in batch.bad], said]))
"""


def test_an_installed_package_adds_a_format(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "package")
    project = tmp_path / "package/pyproject.toml"
    project.write_text(project.read_text().replace("minibar = ", 'broken = "nowhere:AT_ALL"\nminibar = '))
    where = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", str(where), str(tmp_path / "package")], check=True)
    environment = os.environ | {"PYTHONPATH": str(where)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(EXAMPLE / "minibar.txt")],
        env=environment, cwd=EXAMPLE.parents[1], capture_output=True, text=True, check=True,
    )  # fmt: skip
    money, lines, bad, said = json.loads(done.stdout)
    assert [one["amount_minor"] for one in money] == [1250, 900]
    assert (lines, bad) == ([1, 2], [3])
    assert "there are: jsonl, hotel-bookings, hotel-companies, broken, minibar" in said[0]
    assert "nowhere:AT_ALL cannot be loaded" in said[1]
