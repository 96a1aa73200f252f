"""Makes the message classes of the protocol files in protos/, from their compiled descriptors.

The classes live in a descriptor pool of their own. In protobuf's default pool they would clash with those of
any other BTrDB client in the process, which has messages of the same names.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

__all__ = ["DESCRIPTORS", "load"]

DESCRIPTORS = Path(__file__).parent / "protos" / "descriptors.binpb"


def load(package: str) -> dict[str, Any]:
    """The messages and the enum values that a package of the protocol files has, by their names."""
    return {
        name.rpartition(".")[2]: found
        for name, found in _everything().items()
        if name.rpartition(".")[0] == package
    }


@lru_cache(maxsize=1)
def _everything() -> dict[str, Any]:
    files = descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    names = [file.name for file in files.file]
    found: dict[str, Any] = dict(message_factory.GetMessageClassesForFiles(names, pool))
    for file in files.file:
        for enum in file.enum_type:
            found.update({f"{file.package}.{value.name}": value.number for value in enum.value})
    return found
