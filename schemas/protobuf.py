"""Protobuf messages by the descriptors of their schema, as objects of JSON. Needs the extra `protobuf`."""

from __future__ import annotations

from typing import Any

from schemas.registry import UnknownSchemaError
from schemas.single import UndecodableError

MISSING = "Protobuf needs the extra: pip install 'rihla[protobuf]'"


class Messages:
    """The messages of one schema."""

    def __init__(self, files: list[Any], last: Any) -> None:
        """files: FileDescriptorProtos, each behind those that it imports. last: the one whose messages are meant."""
        from google.protobuf import descriptor_pool, message_factory

        pool = descriptor_pool.DescriptorPool()
        known = {one.name for one in files}
        try:
            for wanted in sorted({name for one in files for name in one.dependency} - known):
                pool.Add(_well_known(wanted))
            for one in files:
                pool.Add(one)
            self._messages = list(pool.FindFileByName(last.name).message_types_by_name.values())
        except Exception as error:  # whatever descriptors that are none provoke
            raise UnknownSchemaError(f"no valid Protobuf schema: {error}") from error
        if not self._messages:
            raise UnknownSchemaError("a Protobuf schema without messages")
        self._class = message_factory.GetMessageClass

    @classmethod
    def of_file(cls, serialized: bytes) -> Messages:
        """Of a serialized FileDescriptorProto, as registries give it (`?format=serialized`)."""
        proto = _descriptors().FileDescriptorProto()
        _parse(proto, serialized)
        return cls([proto], proto)

    @classmethod
    def of_set(cls, serialized: bytes) -> Messages:
        """Of a FileDescriptorSet, as `protoc --include_imports --descriptor_set_out` writes it."""
        found = _descriptors().FileDescriptorSet()
        _parse(found, serialized)
        if not found.file:
            raise UnknownSchemaError("a set of descriptors without files")
        return cls(list(found.file), found.file[-1])

    def read(self, data: bytes) -> dict[str, Any]:
        """The first message of the schema that a value holds. Raises UndecodableError."""
        return self._object(self._messages[0], data)

    def read_framed(self, data: bytes) -> dict[str, Any]:
        """The message that a value holds behind Confluent's message indexes. Raises UndecodableError."""
        count, at = _zigzag(data, 0)
        indexes = [0]
        if count:
            indexes = []
            for _ in range(min(max(count, 0), 100)):
                index, at = _zigzag(data, at)
                indexes.append(index)
        try:
            message = self._messages[indexes[0]]
            for index in indexes[1:]:
                message = message.nested_types[index]
        except IndexError:
            raise UndecodableError(f"its schema has no message {indexes}") from None
        return self._object(message, data[at:])

    def read_indexed(self, data: bytes) -> dict[str, Any]:
        """The message that a value holds behind Glue's message index. Raises UndecodableError."""
        index, at = _varint(data, 0)
        every, pending = [], list(self._messages)
        while pending:
            every.append(one := pending.pop())
            pending += one.nested_types
        if index >= len(every):
            raise UndecodableError(f"its schema has no message {index}")
        return self._object(sorted(every, key=lambda one: one.full_name)[index], data[at:])

    def _object(self, descriptor: Any, data: bytes) -> dict[str, Any]:
        from google.protobuf import json_format, message

        found = self._class(descriptor)()
        try:
            found.ParseFromString(data)
            made: dict[str, Any] = json_format.MessageToDict(found, preserving_proto_field_name=True)
        except (message.DecodeError, ValueError, json_format.SerializeToJsonError) as error:
            raise UndecodableError(f"no {descriptor.full_name}: {error}") from None
        return made


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends) of a zigzag varint."""
    number, at = _varint(data, at)
    return (number >> 1) ^ -(number & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """(number, where it ends) of a varint."""
    number = shift = 0
    while at < len(data) and shift < 35:
        octet = data[at]
        number |= (octet & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if octet < 0x80:
            return number, at
    raise UndecodableError("no message indexes in front")


def _descriptors() -> Any:
    try:
        from google.protobuf import descriptor_pb2
    except ImportError:
        raise UnknownSchemaError(MISSING) from None
    return descriptor_pb2


def _parse(into: Any, serialized: bytes) -> None:
    from google.protobuf import message

    try:
        into.ParseFromString(serialized)
    except message.DecodeError as error:
        raise UnknownSchemaError(f"no Protobuf descriptor: {error}") from None


def _well_known(name: str) -> Any:
    """The descriptor of a file that comes with Protobuf (google/protobuf/timestamp.proto ...)."""
    import importlib

    from google.protobuf import descriptor_pb2

    try:
        module = importlib.import_module(name.removesuffix(".proto").replace("/", ".") + "_pb2")
    except ImportError:
        raise UnknownSchemaError(f"it imports {name}, which is not there") from None
    proto = descriptor_pb2.FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(proto)
    return proto
