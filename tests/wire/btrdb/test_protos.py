"""The compiled protocol files, and the messages of other clients beside them in one process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

from flowthings_like.wire.btrdb import store, v4api, v5api

pytestmark = pytest.mark.once

ROOT = Path(__file__).parents[3]


def test_the_descriptors_are_up_to_date() -> None:
    pytest.importorskip("grpc_tools")
    done = subprocess.run(
        [sys.executable, "-m", "tools.protos", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", [v5api, v4api, store])
def test_the_types_name_every_message(module: object) -> None:
    path = Path(str(module.__file__)).with_suffix(".pyi")  # type: ignore[attr-defined]
    types = path.read_text(encoding="utf-8")
    names = [name for name, value in vars(module).items() if hasattr(value, "FromString")]
    assert names
    assert all(f"class {name}(_message.Message)" in types for name in names)


def test_protobufs_own_pool_has_none_of_them() -> None:
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("flowthings_like.Retention")


def test_the_genuine_client_reads_our_messages() -> None:
    """Both have a v5api.StreamDescriptor, in pools of their own, with the same fields."""
    theirs = pytest.importorskip("btrdb.grpcinterface.btrdb_pb2")
    for name, ours in vars(v5api).items():
        other = getattr(theirs, name, None)
        if other is None or not hasattr(ours, "DESCRIPTOR"):
            continue
        shape = {field.name: (field.number, field.type) for field in ours.DESCRIPTOR.fields}
        genuine = {field.name: (field.number, field.type) for field in other.DESCRIPTOR.fields}
        assert shape == genuine, name
