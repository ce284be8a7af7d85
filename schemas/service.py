"""One request to an HTTP service at an Endpoint: with its TLS, and credentials that no redirect takes elsewhere."""

from __future__ import annotations

import urllib.request
from typing import Any
from urllib.error import HTTPError

from schemas import tls
from schemas.endpoint import Endpoint, EndpointError
from schemas.masking import hidden

PROBE_SECONDS = 3.0


def open_url(endpoint: Endpoint, request: urllib.request.Request, timeout: float) -> Any:
    """The open response of urllib; `timeout` in seconds.

    Files of certificates and of a token are read anew. Raises OSError (HTTPError, URLError among it) and ValueError
    (TlsError, EndpointError among it).
    """
    authorization = endpoint.authorization()
    if authorization is not None:
        request.add_unredirected_header("Authorization", authorization)
    handlers: list[urllib.request.BaseHandler] = []
    if endpoint.scheme == "https":
        handlers.append(urllib.request.HTTPSHandler(context=endpoint.tls.context("registry")))
    return urllib.request.build_opener(*handlers).open(request, timeout=timeout)


def unreachable(endpoint: Endpoint, error: BaseException) -> str:
    """Why a request failed, and what to do about it if that is known."""
    reason = refusal(endpoint, error, "RIHLA_REGISTRY", endpoint.port or (443 if endpoint.scheme == "https" else 80))
    return hidden(str(error)) if reason is None else f"{reason.sentence}; {reason.remedy}"


def refusal(endpoint: Endpoint, error: BaseException, setting: str, port: int) -> tls.Reason | None:
    """What an error of a request says about TLS: what is wrong with it, or that it is missing; None for others."""
    if endpoint.scheme == "https":
        reason = tls.reason(error, endpoint.address, setting, endpoint.tls)
        if reason is not None or isinstance(error, tls.TlsError | EndpointError | HTTPError):
            return reason
        said = tls.alert(endpoint.host, port, endpoint.tls.context(), PROBE_SECONDS)
        return None if said is None else tls.reason(said, endpoint.address, setting, endpoint.tls)
    if tls.speaks_tls(endpoint.host, port, PROBE_SECONDS):
        return tls.Reason(f"{endpoint.address} speaks TLS", "write https:// in its address")
    return None
