"""`make digests`: pins the images of the Dockerfile and the compose file by the digests that their registries have.

    python -m tests.supply_chain.digests [--write] FILE...

Asks each registry by the OCI distribution API (anonymously, with the token that it offers), and believes the manifest
and not what is said of it: the digest is that of the bytes received. Prints each image; with --write, puts
`NAME:TAG@sha256:...` into the files. Our own image is left out: you build it.

Exit status: 0 every image has its digest; 2 some registry gave none, and no file was changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

PINNED, NOT_PINNED = 0, 2
OURS = "rihla"
HUB, HUB_API = "docker.io", "registry-1.docker.io"
TIMEOUT = 30.0
"""Seconds for an answer."""
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
"""An index of platforms first: its digest is right on every machine."""
NAMED = re.compile(r"^(\s*(?:image:|FROM)\s+)([\w./-]+:[\w.-]+)(@sha256:[0-9a-f]{64})?", re.MULTILINE)


class Answer(NamedTuple):
    """Of a registry: its status, headers by lower-case name, and the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Ask = Callable[[str, Mapping[str, str]], Answer]
"""Given an address and headers, the answer. Raises OSError where there is none."""


class DigestError(Exception):
    """Why an image has no digest."""


def over_https(url: str, headers: Mapping[str, str]) -> Answer:
    """Ask a registry."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers)), timeout=TIMEOUT) as answer:
            return Answer(answer.status, {name.lower(): said for name, said in answer.headers.items()}, answer.read())
    except urllib.error.HTTPError as error:
        return Answer(error.code, {name.lower(): said for name, said in error.headers.items()}, error.read())


def images(text: str) -> list[str]:
    """The images that a Dockerfile or a compose file names, NAME:TAG each, without ours."""
    found = (match[2] for match in NAMED.finditer(text))
    return [*dict.fromkeys(name for name in found if name.partition(":")[0] != OURS)]


def address(image: str) -> str:
    """Where a registry has the manifest of NAME:TAG."""
    name, _, tag = image.rpartition(":")
    host, _, path = name.partition("/")
    if not path or not re.search(r"[.:]|^localhost$", host):
        host, path = HUB, name if "/" in name else f"library/{name}"
    return f"https://{HUB_API if host == HUB else host}/v2/{path}/manifests/{tag}"


def digest(image: str, ask: Ask = over_https) -> str:
    """`sha256:...` of the manifest of NAME:TAG. Raises DigestError."""
    url, headers = address(image), {"Accept": MANIFESTS}
    try:
        answer = ask(url, headers)
        if answer.status == 401:
            answer = ask(url, {**headers, "Authorization": f"Bearer {_token(answer, ask)}"})
    except OSError as error:
        raise DigestError(f"no answer: {error}") from error
    if answer.status != 200:
        raise DigestError(f"the registry answers {answer.status}")
    found = "sha256:" + hashlib.sha256(answer.body).hexdigest()
    said = answer.headers.get("docker-content-digest", found)
    if said != found:
        raise DigestError(f"the registry says {said}, and sends {found}")
    return found


def _token(refused: Answer, ask: Ask) -> str:
    """The token that a registry gives to anybody."""
    said = dict(re.findall(r'(\w+)="([^"]*)"', refused.headers.get("www-authenticate", "")))
    realm = said.pop("realm", "")
    if not realm.startswith("https://"):
        raise DigestError("the registry asks for credentials, and offers no token")
    answer = ask(f"{realm}?{urllib.parse.urlencode(said)}", {})
    try:
        given = json.loads(answer.body)
        return str(given.get("token") or given["access_token"])
    except (ValueError, KeyError, AttributeError) as error:
        raise DigestError(f"no token: {answer.status}") from error


def pinned(text: str, digests: Mapping[str, str]) -> str:
    """A file with the digests of its images, in place of those that it had."""
    return NAMED.sub(lambda at: f"{at[1]}{at[2]}@{digests[at[2]]}" if at[2] in digests else at[0], text)


def main(ask: Ask = over_https) -> int:
    """Ask, print, and write if that is wanted."""
    parser = argparse.ArgumentParser(prog="python -m tests.supply_chain.digests")
    parser.add_argument("--write", action="store_true", help="put the digests into the files")
    parser.add_argument("files", nargs="+", type=Path)
    asked = parser.parse_args()
    texts = {file: file.read_text(encoding="utf-8") for file in asked.files}
    digests: dict[str, str] = {}
    wanted = [*dict.fromkeys(image for text in texts.values() for image in images(text))]
    for image in wanted:
        try:
            digests[image] = digest(image, ask)
            print(f"{image}@{digests[image]}")
        except DigestError as error:
            print(f"{image}: NOT PINNED: {error}")
    if len(digests) < len(wanted):
        return NOT_PINNED
    if asked.write:
        for file, text in texts.items():
            file.write_text(pinned(text, digests), encoding="utf-8")
    return PINNED


if __name__ == "__main__":
    sys.exit(main())
