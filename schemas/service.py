"""One request to an HTTP service at an Endpoint: with its TLS, and credentials that no redirect takes elsewhere."""

from __future__ import annotations

import urllib.request
from typing import Any

from schemas import tls
from schemas.endpoint import Endpoint
from schemas.masking import hidden


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
    """Why a request failed, with what to do where that can be told."""
    reason = tls.reason(error, endpoint.address, "RIHLA_REGISTRY", endpoint.tls)
    return hidden(str(error)) if reason is None else f"{reason.sentence}; {reason.remedy}"
