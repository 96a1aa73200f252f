"""The metadata of streams as filters see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .arguments import decode_annotation

if TYPE_CHECKING:
    from .dialect import Descriptor

__all__ = ["document_of"]


def document_of(found: Descriptor) -> dict[str, Any]:
    """The metadata of a stream as filters see them."""
    tags = {key: value for key, value in found.tags.items() if value}
    return {
        "uuid": str(found.uuid),
        "collection": found.collection,
        **{name: tags[name] for name in ("name", "unit") if name in tags},
        "tags": tags,
        "annotations": {key: decode_annotation(text) for key, text in found.annotations.items()},
    }
