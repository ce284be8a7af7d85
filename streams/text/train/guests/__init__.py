"""What guests write, made up to train the classifier of concerns: templates (LANGUAGE.txt), and sentences written
one by one (written/LANGUAGE/CLASS.txt)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Final

LANGUAGES: Final = ("en", "ar", "id", "tr", "ur", "fr")
"""Those with sentences written one by one; some Malay is with Indonesian."""


def written(language: str) -> Iterator[tuple[str, str]]:
    """(class, text) of the sentences written one by one in a language, in the order of the files' names."""
    folder = files(__name__) / "written" / language
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        for line in file.read_text("utf-8").splitlines():
            if line.strip():
                yield file.name.removesuffix(".txt"), line.strip()
