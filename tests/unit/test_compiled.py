"""What is compiled: that it is told from what is not, and noticed when its source has changed."""

from __future__ import annotations

import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from streams import compiled, doctor


def _tree(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "streams" / "stitch"
    folder.mkdir(parents=True)
    (folder / "plain.py").touch()
    source, library = folder / "fold.py", folder / f"fold{EXTENSION_SUFFIXES[0]}"
    for file, at in ((source, 1000), (library, 2000)):
        file.touch()
        os.utime(file, (at, at))
    return source, library


def test_a_module_is_compiled_if_python_finds_a_library_beside_it(tmp_path: Path) -> None:
    source, library = _tree(tmp_path)
    assert compiled.modules(tmp_path) == [source]
    assert compiled.stale(tmp_path) == []
    library.unlink()
    assert compiled.modules(tmp_path) == []


def test_a_source_that_was_changed_behind_its_library_is_stale(tmp_path: Path) -> None:
    source, _ = _tree(tmp_path)
    os.utime(source, (3000, 3000))
    assert compiled.stale(tmp_path) == [source]


def test_doctor_tells_what_is_compiled(tmp_path: Path) -> None:
    source, library = _tree(tmp_path)
    assert doctor.compilation(tmp_path).verdict == "ok"
    os.utime(source, (3000, 3000))
    changed = doctor.compilation(tmp_path)
    assert (changed.verdict, changed.remedy) == ("problem", "make compile")
    assert "fold.py" in changed.detail
    library.unlink()
    assert doctor.compilation(tmp_path).verdict == "note"
