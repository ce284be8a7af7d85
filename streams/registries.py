"""The schema registry that the settings name."""

from __future__ import annotations

from schemas.registry import HttpRegistry, LocalRegistry, Registry
from streams.settings import Settings


def registry_of(settings: Settings) -> Registry:
    """The registry's client, with our credentials; the files of schemas/ where the settings name no registry."""
    endpoint = settings.registry_endpoint
    return LocalRegistry() if endpoint is None else HttpRegistry(endpoint)
