"""A large blob is streamed by every process of the region: 256 MB here, as much as one likes with `python -m tests.torture.blob`."""

from pathlib import Path

import pytest

from tests.torture.blob import LIMIT_BYTES, pass_through


@pytest.mark.timeout(120)
def test_blob_of_256_mb_comes_back_and_no_process_had_it_in_memory(tmp_path: Path) -> None:
    passage = pass_through(256, tmp_path)
    assert len(passage.peak_bytes) == 1 + 9, "the fault proxy and nine components lived to the end"
    assert passage.too_fat == {}, f"over {LIMIT_BYTES} bytes"
