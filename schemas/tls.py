"""TLS as a client: its files, the context made of them, and what went wrong, in a sentence."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)


class TlsError(ValueError):
    """A file of a certificate, key or authority cannot be used; the message names it."""


@dataclass(frozen=True)
class Tls:
    """Files in PEM. ca: authorities to trust instead of the system's. certificate, key: ours, for mutual TLS; the key
    may stand in the certificate's file. key_password: of an encrypted key. check_hostname: whether the server's
    certificate must name the host that was asked for."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    key_password: str | None = field(default=None, repr=False)
    check_hostname: bool = True

    @property
    def given(self) -> bool:
        """Whether any setting was given."""
        return self != Tls()

    def context(self, setting: str = "ssl") -> ssl.SSLContext:
        """A context made of the files as they are now.

        setting: first part of the settings' names, for messages. Raises TlsError.
        """
        context = _Renewing(self, setting)
        context.renew()
        return context

    def _load(self, context: ssl.SSLContext, setting: str) -> None:
        try:
            if self.ca is None:
                context.load_default_certs()
            else:
                context.load_verify_locations(self.ca)
        except (OSError, ssl.SSLError) as error:
            raise TlsError(f"{setting}_ca: {self.ca} {_unusable(error, 'holds no certificate')}") from error
        if self.key is not None and self.certificate is None:
            raise TlsError(f"{setting}_key is set and {setting}_certificate is not: a client needs both")
        if self.certificate is not None:
            files = self.certificate if self.key is None else f"{self.certificate} with {self.key}"
            try:
                # Without a password OpenSSL would ask for one at the terminal.
                context.load_cert_chain(self.certificate, self.key, self.key_password or "")
            except (OSError, ssl.SSLError, ValueError) as error:
                why = _unusable(error, "are no certificate and its key, or the key's password is wrong")
                raise TlsError(f"{setting}_certificate: {files} {why}") from error

    def _stamps(self) -> list[int]:
        """When the files were last changed, nanoseconds since 1970; -1 for one that is not there."""
        stamps = []
        for file in (self.ca, self.certificate, self.key):
            try:
                stamps.append(-1 if file is None else os.stat(file).st_mtime_ns)
            except OSError:
                stamps.append(-1)
        return stamps


class _Renewing(ssl.SSLContext):
    """A context that reads its files again, when they have changed, before the next connection.

    An authority that is no longer in its file is trusted until the process ends; a new one, at once.
    """

    def __new__(cls, files: Tls, setting: str) -> _Renewing:
        made: _Renewing = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        return made

    def __init__(self, files: Tls, setting: str) -> None:
        self._files, self._setting, self._stamps = files, setting, list[int]()
        self.check_hostname = files.check_hostname

    def renew(self) -> None:
        """Read the files if they have changed. Raises TlsError."""
        stamps = self._files._stamps()
        if stamps != self._stamps:
            self._files._load(self, self._setting)
            self._stamps = stamps

    def _renew(self) -> None:
        try:
            self.renew()
        except TlsError as error:  # perhaps half of the files are new yet: the next connection looks again
            log.warning("certificates are not renewed: %s", error)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """See ssl: asyncio's way."""
        self._renew()
        return super().wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """See ssl: everybody else's way."""
        self._renew()
        return super().wrap_socket(*args, **kwargs)


def _unusable(error: Exception, otherwise: str) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return f"cannot be read: {error.strerror}"
    return otherwise


_VERIFY = {
    10: "the certificate of {at} has expired",
    9: "the certificate of {at} is not valid yet: is the clock right?",
    18: "the certificate of {at} is signed by itself, and not one of the trusted authorities",
    19: "the certificate of {at} is signed by an authority that is not trusted",
    20: "the certificate of {at} is signed by an authority that is not trusted",
    21: "the certificate of {at} is signed by an authority that is not trusted",
    62: "the certificate of {at} is for another host name",
    64: "the certificate of {at} is for another address",
}
_ALERTS = {
    "CERTIFICATE_REQUIRED": "{at} asks for a client certificate, and none is set",
    "HANDSHAKE_FAILURE": "{at} refuses the TLS handshake: it may ask for a client certificate, or for other ciphers",
    "UNKNOWN_CA": "{at} does not trust the authority that signed our client certificate",
    "CERTIFICATE_EXPIRED": "{at} says that our client certificate has expired",
    "CERTIFICATE_REVOKED": "{at} says that our client certificate is revoked",
    "BAD_CERTIFICATE": "{at} refuses our client certificate",
    "CERTIFICATE_UNKNOWN": "{at} refuses our client certificate: it has expired, or its authority is not trusted there",
    "PROTOCOL_VERSION": "{at} speaks no version of TLS that is allowed here",
}
_REMEDY_BY_CODE = {
    10: "renew it there",
    62: "use the name it was made for, or a certificate with this name; {setting}_CHECK_HOSTNAME=false trusts any name",
}
_REMEDY_CA = "name the file of its authority: {setting}_CA"
_REMEDY_CERTIFICATE = "set {setting}_CERTIFICATE and {setting}_KEY to files that the server trusts"


@dataclass(frozen=True)
class Reason:
    """Why no connection came about, and what to do. heals: the same attempt may succeed later."""

    sentence: str
    remedy: str
    heals: bool = False


def reason(error: BaseException, at: str, setting: str, ours: Tls) -> Reason | None:
    """What an error of TLS, or one below the error, means; None where it is not one that tells.

    at: address of the server. setting: first part of the variables' names, RIHLA_SSL. ours: what we came with.
    """
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            said = _VERIFY.get(seen.verify_code, f"the certificate of {{at}} is refused: {seen.verify_message}")
            remedy = _REMEDY_BY_CODE.get(62 if seen.verify_code == 64 else seen.verify_code)
            if remedy is None:
                remedy = _REMEDY_CA if 18 <= seen.verify_code <= 21 else "see to the server's certificate"
            return Reason(said.format(at=at), remedy.format(setting=setting))
        if isinstance(seen, ssl.SSLError):
            for alert, said in _ALERTS.items():
                if alert in f"{seen.reason or ''} {seen}".upper().replace(" ", "_"):
                    if "our client certificate" in said and ours.certificate is None:
                        said = _ALERTS["CERTIFICATE_REQUIRED"]
                    return Reason(said.format(at=at), _REMEDY_CERTIFICATE.format(setting=setting))
            if seen.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
                return Reason(f"{at} does not speak TLS", "use the address without TLS, or the server's TLS port")
        seen = _below(seen)
    return None


def speaks_tls(host: str, port: int, seconds: float) -> bool:
    """Whether the other end answers a TLS handshake; nothing is sent, and nobody trusted."""
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((host, port), seconds) as plain,
            trusting.wrap_socket(plain, server_hostname=host),
        ):
            return True
    except OSError:
        return False


def alert(host: str, port: int, context: ssl.SSLContext, seconds: float) -> ssl.SSLError | None:
    """The refusal that the other end sends after a handshake. TLS 1.3 refuses a client only then, and a request under
    way may hide it. None: nothing comes within the timeout, in seconds."""
    try:
        with (
            socket.create_connection((host, port), seconds) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            wrapped.recv(1)
    except ssl.SSLError as error:
        return error
    except OSError:
        pass
    return None


def _below(error: BaseException) -> BaseException | None:
    """The error that a library wrapped: `reason` (urllib), first argument (urllib3), cause, context."""
    inner = [getattr(error, "reason", None), *error.args[:1], error.__cause__, error.__context__]
    return next((below for below in inner if isinstance(below, BaseException) and below is not error), None)
