"""Where a writer's schema is found by the header of a value, and which header a writer puts in front.

`LocalRegistry` answers from the files beside this module, `HttpRegistry` from any service that speaks Confluent's HTTP
API (Confluent Schema Registry, Apicurio, Karapace, Redpanda). Both keep the protocol `Registry`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection
from functools import cached_property
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Protocol

from fastavro.schema import parse_schema

from schemas import records
from schemas.endpoint import Endpoint
from schemas.fingerprint import crc64
from schemas.references import UnresolvedError, resolved
from schemas.service import open_url, unreachable
from schemas.wire import CONFLUENT, SINGLE_OBJECT, Wire, WireHeader, join

_MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_UNKNOWN_SECONDS: Final = 30.0
_UNKNOWN_LIMIT: Final = 50_000
_VAIN_ASKS: Final = 50
_VAIN_ASKS_A_SECOND: Final = 1.0
_UNKNOWN_ANSWERS: Final = (400, 404, 410, 422)
"""Status codes that say that there is no such schema: not found, deleted, no id that could be one."""
_REFUSALS: Final = (401, 403, 407)
MAX_ID: Final = 2**31 - 1
"""The largest id that a registry gives: they are Java's ints."""


class RegistryError(Exception):
    """The registry could not answer, for a reason that has nothing to do with the value: try again later."""


class RegistryRefusesError(RegistryError):
    """The registry does not let us in: only other settings help."""


class UnknownSchemaError(RegistryError):
    """The registry answered that it has no such schema, or none that is Avro: the value cannot be decoded."""


class Registry(Protocol):
    """Finds schemas by header and headers by record name. May block for a network call; caches what it learns."""

    def writer_schema(self, header: WireHeader) -> dict[str, Any]:
        """The schema, parsed by fastavro, that wrote the values with this header.

        Raises UnknownSchemaError where there is none, RegistryError where that cannot be found out now.
        """

    def header_for(self, name: str, wire: Wire = SINGLE_OBJECT) -> bytes:
        """The bytes to put in front of a datum written with the current schema of the record `name`.

        Raises KeyError for a name without schema, RegistryError where the wire format needs an id and there is none.
        """


class LocalRegistry:
    """The schema files of this package: those in use, and every version released before.

    Fingerprints are computed from the files. Confluent ids stand in `ids.json`: a released file's stem -> id.
    """

    def __init__(self, directory: Path = records.AVRO_DIR) -> None:
        """`directory` holds NAME.avsc, ids.json and released/NAME-VERSION.avsc."""
        self._directory = directory

    def writer_schema(self, header: WireHeader) -> dict[str, Any]:
        known = self._by_id if header.wire == CONFLUENT else self._by_fingerprint
        found = known.get(header.id)
        if found is None:
            raise UnknownSchemaError(f"no schema file has the {header}")
        return found

    def header_for(self, name: str, wire: Wire = SINGLE_OBJECT) -> bytes:
        fingerprint = self._current[name]
        if wire == SINGLE_OBJECT:
            return join(WireHeader(wire, fingerprint))
        for id_, schema in self._by_id.items():
            if crc64(schema) == fingerprint:
                return join(WireHeader(wire, id_))
        raise RegistryError(
            f"{name}.avsc differs from every released version of it, so it has no id: "
            "release it with python -m schemas.compatibility --release, or use single-object encoding"
        )

    @cached_property
    def _in_use(self) -> dict[str, dict[str, Any]]:
        """Record name -> parsed schema."""
        return {path.stem: _load(path) for path in sorted(self._directory.glob("*.avsc"))}

    @cached_property
    def _released(self) -> dict[str, dict[str, Any]]:
        """Stem of the released file -> parsed schema."""
        return {path.stem: _load(path) for path in sorted((self._directory / "released").glob("*.avsc"))}

    @cached_property
    def _current(self) -> dict[str, int]:
        """Record name -> fingerprint of its schema in use."""
        return {name: crc64(schema) for name, schema in self._in_use.items()}

    @cached_property
    def _by_fingerprint(self) -> dict[int, dict[str, Any]]:
        return {crc64(schema): schema for schema in (*self._released.values(), *self._in_use.values())}

    @cached_property
    def _by_id(self) -> dict[int, dict[str, Any]]:
        ids = self._directory / "ids.json"
        if not ids.exists():
            return {}
        return {id_: self._released[stem] for stem, id_ in json.loads(ids.read_text(encoding="utf-8")).items()}


def _load(path: Path) -> dict[str, Any]:
    parsed: dict[str, Any] = parse_schema(json.loads(path.read_text(encoding="utf-8")))
    return parsed


class HttpRegistry:
    """Schemas by id from a registry service; those by fingerprint, which the API does not know, from the files.

    Subjects are named by record (`rihla.Booking`), RecordNameStrategy in Confluent's words: the prefix of topics is a
    setting, the record is what a schema belongs to.

    Every answer is kept for good (an id never changes its schema), but "there is no such id" only for half a minute: a
    schema that comes later must not be hidden. Garbage on a topic must not flood the registry: of ids that turn out
    unknown it is asked for fifty at once, and for one a second in the long run; others are refused without being asked.
    Calls block until the service answers or the timeout passes.
    """

    def __init__(self, where: str | Endpoint, *, timeout: float = 10.0, local: LocalRegistry | None = None) -> None:
        """`where` is the service's base, http[s]://[user:password@]host:port[/path]; `timeout` is in seconds.

        Raises EndpointError for a malformed address.
        """
        self._endpoint = Endpoint.parse(where, name="registry") if isinstance(where, str) else where
        self._base = self._endpoint.address
        self._headers = {"Accept": f"{_MEDIA_TYPE}, application/json", "Content-Type": _MEDIA_TYPE}
        self._timeout = timeout
        self._local = local or LocalRegistry()
        self._schemas: dict[int, dict[str, Any]] = {}
        self._ids: dict[str, int] = {}
        self._unknown: dict[int, tuple[float, str]] = {}
        self._vain, self._vain_at = 0.0, 0.0
        self.learned: dict[int, str] = {}
        """New schemas from the service, as JSON by id. The caller that stores them removes them here."""

    @property
    def address(self) -> str:
        """The service's base URL, without user and password."""
        return self._base

    def settled(self, id_: int) -> bool:
        """Whether `writer_schema` answers for this id without asking the service, and will for some seconds."""
        asked, _ = self._unknown.get(id_, (-math.inf, ""))
        return id_ in self._schemas or id_ > MAX_ID or time.monotonic() - asked < _UNKNOWN_SECONDS / 2

    @property
    def highest(self) -> int:
        """The highest id known; 0 where there is none."""
        return max(self._schemas, default=0)

    def keep(self, id_: int, schema: str) -> None:
        """Add a schema, as JSON, that comes from elsewhere. Raises UnknownSchemaError if it is no Avro record."""
        self._schemas[id_] = _parse({"schema": schema}, WireHeader(CONFLUENT, id_))

    def refuse(self, id_: int, why: str) -> None:
        """Answer for half a minute that this id has no schema. why: a sentence."""
        if len(self._unknown) >= _UNKNOWN_LIMIT:
            del self._unknown[next(iter(self._unknown))]
        self._unknown.pop(id_, None)
        self._unknown[id_] = (time.monotonic(), why)

    def ask(self, id_: int) -> str:
        """The schema of an id as the service has it now, as JSON; nothing is kept. Raises as `writer_schema`."""
        header = WireHeader(CONFLUENT, id_)
        answer = self._alone(self._call("GET", f"/schemas/ids/{id_}", _UNKNOWN_ANSWERS), header)
        _parse(answer, header)
        return str(answer["schema"])

    def writer_schema(self, header: WireHeader) -> dict[str, Any]:
        """See `Registry.writer_schema`."""
        if header.wire == SINGLE_OBJECT:
            return self._local.writer_schema(header)
        known = self._schemas.get(header.id)
        if known is not None:
            return known
        if header.id > MAX_ID:
            raise UnknownSchemaError(f"{header} is beyond {MAX_ID}, the largest that a registry gives")
        asked, why = self._unknown.get(header.id, (0.0, ""))
        if why and time.monotonic() - asked < _UNKNOWN_SECONDS:
            raise UnknownSchemaError(why)
        return self.look_up(header)

    def look_up(self, header: WireHeader) -> dict[str, Any]:
        """The same, whatever was unknown a moment ago."""
        try:
            if not self.may_ask():
                raise UnknownSchemaError(f"{header} was not asked for: of too many that came lately there is no schema")
            try:
                schema = self.ask(header.id)
            except UnknownSchemaError:
                self._vain += 1
                raise
        except UnknownSchemaError as error:
            self.refuse(header.id, str(error))
            raise
        self.keep(header.id, schema)
        self.learned[header.id] = schema
        return self._schemas[header.id]

    def any_schema(self, id_: int, *, globally: bool = False) -> tuple[str, str, Callable[[], bytes]]:
        """(AVRO, JSON or PROTOBUF; its text, of Avro alone with all that it refers to; what fetches the descriptor of a
        Protobuf schema) of an id. Nothing is kept.

        globally: it is Apicurio's global id, which Apicurio's own API knows. Raises as `writer_schema`.
        """
        header = WireHeader(CONFLUENT, id_)
        if globally and "/apis/" in self._base:
            path = f"/apis/registry/v2/ids/globalIds/{id_}"
            kind, text = self._artifact(path)
            return kind, text, lambda: _no_descriptor(header)
        if id_ > MAX_ID:
            raise UnknownSchemaError(f"{header} is beyond {MAX_ID}, the largest that a registry gives")
        if not self.may_ask():
            raise UnknownSchemaError(f"{header} was not asked for: of too many that came lately there is no schema")
        try:
            answer = self._alone(self._call("GET", f"/schemas/ids/{id_}", _UNKNOWN_ANSWERS), header)
        except UnknownSchemaError:
            self._vain += 1
            raise
        return str(answer.get("schemaType", "AVRO")), str(answer.get("schema")), lambda: self._descriptor(id_)

    def _descriptor(self, id_: int) -> bytes:
        """A Protobuf schema as a serialized FileDescriptorProto: `format=serialized` of Confluent and Karapace."""
        answer = self._call("GET", f"/schemas/ids/{id_}?format=serialized", _UNKNOWN_ANSWERS)
        try:
            return base64.b64decode(str(answer.get("schema")), validate=True)
        except binascii.Error:
            return _no_descriptor(WireHeader(CONFLUENT, id_))

    def _artifact(self, path: str) -> tuple[str, str]:
        """(type, text) of what Apicurio's own API has at a path, beside that which speaks as Confluent's."""
        base = self._base.partition("/apis/")[0]
        request = urllib.request.Request(base + path, headers={**self._headers, "Accept": "*/*"})
        try:
            with open_url(self._endpoint, request, self._timeout) as response:
                kind = response.headers.get("X-Registry-ArtifactType", "AVRO")
                return str(kind), response.read().decode()
        except urllib.error.HTTPError as error:
            message = f"the registry at {base} answered {error.code} to GET {path}: {_reason(error)}"
            raise (UnknownSchemaError if error.code in _UNKNOWN_ANSWERS else RegistryError)(message) from error
        except (OSError, ValueError, HTTPException) as error:
            why = unreachable(self._endpoint, error)
            raise RegistryError(f"the registry at {base} did not answer GET {path}: {why}") from error

    def may_ask(self) -> bool:
        """Whether the service is asked for ids that may turn out unknown."""
        now = time.monotonic()
        self._vain = max(0.0, self._vain - (now - self._vain_at) * _VAIN_ASKS_A_SECOND)
        self._vain_at = now
        return self._vain < _VAIN_ASKS

    def _alone(self, answer: dict[str, Any], header: WireHeader) -> dict[str, Any]:
        """An answer with the schemas of other subjects that it refers to written out in it."""

        def version(subject: str, number: int) -> dict[str, Any]:
            name = urllib.parse.quote(subject, safe="")
            return self._call("GET", f"/subjects/{name}/versions/{number}", _UNKNOWN_ANSWERS)

        try:
            return resolved(answer, version)
        except (UnresolvedError, UnknownSchemaError) as error:
            raise UnknownSchemaError(f"{header} cannot be put together: {error}") from error

    def header_for(self, name: str, wire: Wire = SINGLE_OBJECT) -> bytes:
        """See `Registry.header_for`. Registers the schema where the service does not have it yet."""
        if wire == SINGLE_OBJECT:
            return self._local.header_for(name, wire)
        if name not in self._ids:
            schema = records.raw(name)
            subject = urllib.parse.quote(f"{schema['namespace']}.{schema['name']}", safe="")
            text = json.dumps(schema)
            try:
                answer = self._call("POST", f"/subjects/{subject}/versions", body={"schema": text})
            except RegistryError:
                same = self._id_of(name)
                if same is None:
                    raise
                self._ids[name] = same
                return join(WireHeader(wire, same))
            id_ = answer.get("id")
            if not isinstance(id_, int):
                raise RegistryError(f"the registry at {self._base} gave no id for {name}: {answer}")
            self._ids[name] = id_
            self.keep(id_, text)
            self.learned[id_] = text
        return join(WireHeader(wire, self._ids[name]))

    def _id_of(self, name: str) -> int | None:
        """The id of a schema that encodes as the record `name` in use, where one is known."""
        schema = records.schema(name)
        fingerprint = crc64(schema)
        for id_, known in self._schemas.items():
            if known["name"] == schema["name"] and crc64(known) == fingerprint:
                return id_
        return None

    def _call(
        self, method: str, path: str, unknown: Collection[int] = (), body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """The JSON object that the service answers.

        unknown: status codes for which UnknownSchemaError is raised. Raises RegistryRefusesError where the service does
        not let us in, RegistryError for any other failure.
        """
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data=data, headers=self._headers, method=method)
        try:
            with open_url(self._endpoint, request, self._timeout) as response:
                answer = json.loads(response.read())
        except urllib.error.HTTPError as error:
            message = f"the registry at {self._base} answered {error.code} to {method} {path}: {_reason(error)}"
            if error.code in unknown:
                raise UnknownSchemaError(message) from error
            if error.code in _REFUSALS:
                raise RegistryRefusesError(f"{message}; see the user and password in RIHLA_REGISTRY") from error
            raise RegistryError(message) from error
        except (OSError, ValueError, HTTPException) as error:
            why = unreachable(self._endpoint, error)
            raise RegistryError(f"the registry at {self._base} did not answer {method} {path}: {why}") from error
        if not isinstance(answer, dict):
            raise RegistryError(f"the registry at {self._base} answered {method} {path} with no JSON object")
        return answer


def _no_descriptor(header: WireHeader) -> bytes:
    raise UnknownSchemaError(
        f"{header} is Protobuf, and this registry gives no descriptor of it: name one by --schema (protoc "
        "--include_imports --descriptor_set_out=FILE.desc)"
    )


def _reason(error: urllib.error.HTTPError) -> str:
    """What the service says about its refusal."""
    try:
        text = error.read(2000).decode("utf-8", "replace")
    except (OSError, HTTPException):  # cut off; what it is was said in front
        return str(error.reason)
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text or str(error.reason)


def _parse(answer: dict[str, Any], header: WireHeader) -> dict[str, Any]:
    """The schema in an answer to /schemas/ids, parsed. UnknownSchemaError where it is no Avro record."""
    if answer.get("schemaType", "AVRO") != "AVRO" or answer.get("references"):
        raise UnknownSchemaError(f"{header} is of type {answer.get('schemaType', 'AVRO')} and not Avro")
    try:
        parsed = parse_schema(json.loads(answer["schema"]))
    except MemoryError:
        raise
    except Exception as error:  # whatever a schema that is none provokes in the parser
        raise UnknownSchemaError(f"{header} is no valid Avro schema: {error}") from error
    if not isinstance(parsed, dict) or parsed.get("type") != "record":
        raise UnknownSchemaError(f"{header} is no record")
    return parsed
