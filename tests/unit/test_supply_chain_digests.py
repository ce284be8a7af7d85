"""Images are pinned by the digests of what their registries send; where one gives none, nothing is changed."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.supply_chain import digests

ROOT = Path(__file__).parents[2]
COMPOSE = """services:
  worker:
    image: rihla:${RIHLA_TAG:-local}
  kafka:
    image: apache/kafka:4.1.1   # a comment
  registry:
    image: ghcr.io/some/registry:6.1.0@sha256:0000000000000000000000000000000000000000000000000000000000000000
"""
MANIFEST = b'{"schemaVersion": 2}'
OF_MANIFEST = "sha256:" + hashlib.sha256(MANIFEST).hexdigest()


def registry(said: str = OF_MANIFEST, *, open_: bool = False) -> digests.Ask:
    """A registry that gives manifests to who has asked it for a token."""

    def ask(url: str, headers: Mapping[str, str]) -> digests.Answer:
        if url.startswith("https://auth.example/token"):
            assert url == "https://auth.example/token?service=r&scope=repository%3Ax%3Apull"
            return digests.Answer(200, {}, b'{"token": "t"}')
        if not open_ and headers.get("Authorization") != "Bearer t":
            challenge = 'Bearer realm="https://auth.example/token",service="r",scope="repository:x:pull"'
            return digests.Answer(401, {"www-authenticate": challenge}, b"")
        return digests.Answer(200, {"docker-content-digest": said}, MANIFEST)

    return ask


def test_images_are_pinned_by_what_their_registry_sends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "docker-compose.yml"
    file.write_text(COMPOSE)
    monkeypatch.setattr(sys, "argv", ["digests", "--write", str(file)])
    assert digests.main(registry()) == 0
    text = file.read_text()
    assert f"image: apache/kafka:4.1.1@{OF_MANIFEST}   # a comment" in text
    assert f"image: ghcr.io/some/registry:6.1.0@{OF_MANIFEST}\n" in text
    assert "image: rihla:${RIHLA_TAG:-local}\n" in text
    assert digests.main(registry()) == 0
    assert file.read_text() == text, "once is enough"

    def away(url: str, headers: Mapping[str, str]) -> digests.Answer:
        raise OSError("nobody is there")

    file.write_text(COMPOSE)
    assert digests.main(away) == 2
    assert file.read_text() == COMPOSE
    assert "apache/kafka:4.1.1: NOT PINNED: no answer: nobody is there" in capsys.readouterr().out


def test_a_registry_is_not_believed() -> None:
    assert digests.digest("x:1", registry(open_=True)) == OF_MANIFEST
    with pytest.raises(digests.DigestError, match="says sha256:1, and sends"):
        digests.digest("x:1", registry("sha256:1"))
    with pytest.raises(digests.DigestError, match="offers no token"):
        digests.digest("x:1", lambda url, headers: digests.Answer(401, {"www-authenticate": 'Basic realm="x"'}, b""))
    with pytest.raises(digests.DigestError, match="answers 404"):
        digests.digest("x:1", lambda url, headers: digests.Answer(404, {}, b""))


def test_images_of_the_repository_are_found() -> None:
    files = [ROOT / "docker-compose.yml", ROOT / "deploy/Dockerfile"]
    found = [image for file in files for image in digests.images(file.read_text(encoding="utf-8"))]
    assert len(found) == 6
    assert digests.address("python:3.11-slim") == "https://registry-1.docker.io/v2/library/python/manifests/3.11-slim"
    assert digests.address("apache/kafka:4") == "https://registry-1.docker.io/v2/apache/kafka/manifests/4"
    assert digests.address("ghcr.io/a/b:1") == "https://ghcr.io/v2/a/b/manifests/1"


@pytest.mark.parametrize("file", ["docker-compose.yml", "deploy/Dockerfile"])
def test_every_image_of_others_is_pinned(file: str) -> None:
    found = [
        match for match in digests.NAMED.finditer((ROOT / file).read_text()) if match[2] in digests.images(match[0])
    ]
    assert found
    assert [match[2] for match in found if match[3] is None] == []
