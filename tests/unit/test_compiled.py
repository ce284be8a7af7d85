"""What is compiled: that it is told from what is not, and noticed when its source has changed."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from streams import compiled, doctor

ROOT = Path(__file__).parents[2]


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


def test_a_source_whose_constants_were_compiled_in_is_stale_too(tmp_path: Path) -> None:
    source, library = _tree(tmp_path)
    source.write_text("from streams.stitch import (\n    limits,\n    plain,\n)\nfrom streams.limits import LONGEST\n")
    one, other = source.with_name("limits.py"), tmp_path / "streams" / "limits.py"
    for file in (one, other, source, source.with_name("plain.py")):
        file.touch()
        os.utime(file, (1000, 1000))
    assert compiled.stale(tmp_path) == []
    for file in (one, other):
        os.utime(file, (3000, 3000))
    assert compiled.stale(tmp_path) == sorted([one, other])
    os.utime(library, (4000, 4000))
    assert compiled.stale(tmp_path) == []


def test_a_checkout_that_has_changed_does_not_run_until_that_is_settled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, library = _tree(tmp_path)
    os.utime(source, (3000, 3000))
    monkeypatch.setattr(compiled, "_root", lambda: tmp_path)
    compiled.refuse_stale()  # installed: nobody edits it, and nothing says when which file was written
    (tmp_path / "pyproject.toml").write_text('[tool.rihla]\ncompiled = ["streams/stitch/fold.py"]\n')
    with pytest.raises(compiled.StaleError, match=r"streams/stitch/fold\.py"):
        compiled.refuse_stale()
    assert compiled.main(["--check"]) == 1
    assert compiled.main([]) == 0
    assert "fold.py" in capsys.readouterr().out
    assert not library.exists()
    compiled.refuse_stale()
    assert compiled.main(["--check"]) == 1  # nothing out of date, but not compiled either
    library.touch()
    assert compiled.main(["--check"]) == 0


def test_these_tests_run_what_is_written() -> None:
    assert compiled.stale() == []


@pytest.mark.parametrize(
    ("target", "compiles", "runs"),
    [
        ("run", False, "rihla run build/demo/events.jsonl"),
        ("plain", False, "RIHLA_PLAIN=1"),
        ("lint", False, "mypy"),
        ("compile", True, "build_ext --inplace"),
        ("suite", True, "pytest -n"),
        ("test", True, "RIHLA_PLAIN=1"),  # what is compiled, and then some of it that is not
        ("bench", True, "tests.benchmarks"),
        ("faults", True, "tests.faults"),
    ],
)
def test_what_people_run_compiles_only_where_that_is_wanted(target: str, compiles: bool, runs: str) -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make here")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = subprocess.run(
        [make, "--dry-run", target], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert ("build_ext" in told) is compiles
    assert runs in told


def test_the_image_is_compiled() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text("utf-8").splitlines()
    assert any("install" in line and "gcc" in line for line in lines)
    assert not any("RIHLA_COMPILE" in line for line in lines)


def test_no_class_that_stays_python_has_a_base_that_is_compiled() -> None:
    # Python refuses to make an object of one ("interpreted classes cannot inherit from compiled"), and only there.
    named = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["rihla"]["compiled"]
    trees = {
        str(source.relative_to(ROOT)): ast.parse(source.read_text("utf-8"))
        for package in compiled.PACKAGES
        for source in (ROOT / package).rglob("*.py")
    }
    native = {
        f"{name.removesuffix('.py').replace('/', '.')}.{node.name}"
        for name in named
        for node in trees[name].body
        if isinstance(node, ast.ClassDef) and not _is_plain(node)
    }
    assert len(native) > 20
    found = []
    for name, tree in trees.items():
        if name in named:
            continue
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {imported.get(base.id) for base in node.bases if isinstance(base, ast.Name)}
                found += [f"{name}: {node.name}" for base in bases if base in native]
    assert found == [], "name their modules in pyproject.toml, too ([tool.rihla] compiled)"


def _is_plain(node: ast.ClassDef) -> bool:
    """Whether the compiler leaves it a class of Python's own: named tuples, protocols, enumerations, errors."""
    bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return bool(
        bases & {"NamedTuple", "Protocol", "Enum", "IntEnum", "StrEnum", "TypedDict", "Exception", "RihlaError"}
    )
