from __future__ import annotations

import io
from pathlib import Path

import pytest
import zstandard

from flowthings_like.errors import InvalidInput
from flowthings_like.files.compression import compressing, decompressing

pytestmark = pytest.mark.once

TEXT = b"".join(b"line %d\n" % number for number in range(100_000))


@pytest.mark.parametrize("suffix", [".gz", ".zst", ".csv"])
def test_there_and_back(suffix: str) -> None:
    path = Path("all").with_suffix(suffix)
    written = io.BytesIO()
    with compressing(written, path) as file:
        file.write(TEXT)
    assert (len(written.getvalue()) < len(TEXT)) is (suffix != ".csv")
    assert decompressing(io.BytesIO(written.getvalue()), path).read() == TEXT


def test_frames_that_follow_each_other() -> None:
    frame = zstandard.compress(TEXT)
    assert decompressing(io.BytesIO(frame * 3), Path("a.zst")).read() == TEXT * 3
    assert decompressing(io.BytesIO(b""), Path("a.zst")).read() == b""


@pytest.mark.parametrize("missing", [1, 1000])
def test_a_file_without_its_end(missing: int) -> None:
    with pytest.raises(EOFError, match="the end of the file is missing"):
        decompressing(io.BytesIO(zstandard.compress(TEXT)[:-missing]), Path("a.zst")).read()


def test_what_is_no_zstandard() -> None:
    with pytest.raises(InvalidInput, match="not Zstandard"):
        decompressing(io.BytesIO(TEXT), Path("a.zst")).read()
