"""Equality by content, as msgspec's Structs have it, for classes that mypyc compiles."""

from __future__ import annotations

from mypy_extensions import mypyc_attr


@mypyc_attr(acyclic=True)
class Content:
    """Base of classes compared by their fields. None refers to itself, so the cycle collector need not track them."""

    def fields(self) -> tuple[object, ...]:
        """All fields, in the order of the constructor."""
        raise NotImplementedError  # not an abstract method: what inherits from ABC cannot be acyclic

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and type(self) is type(other) and self.fields() == other.fields()

    def __hash__(self) -> int:
        raise TypeError(f"{type(self).__name__} can change, so it has no hash")

    def __repr__(self) -> str:
        return f"{type(self).__name__}{self.fields()}"
