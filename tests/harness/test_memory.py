"""The C library's memory, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from command import finish, start

CODE = """
import ctypes
from harness.machine.memory import keep_large_blocks, resident_bytes
before = resident_bytes()
keep_large_blocks()
assert resident_bytes() - before < 2**24, "memory was taken before it is used"
first = ctypes.create_string_buffer(2**26)  # numpy asks for large pages by itself
place = ctypes.addressof(first)
del first
again = ctypes.create_string_buffer(2**26)
assert ctypes.addressof(again) == place, "the block was given back to the system"
for line in open("/proc/self/smaps"):
    ends, _, more = line.partition(" ")
    if line.startswith("VmFlags:") and inside:
        print(line.split())
    elif "-" in ends and not ends.endswith(":"):
        low, high = (int(end, 16) for end in ends.split("-"))
        inside = low <= place + 2**25 < high
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of Linux and glibc")
def test_large_blocks_are_kept_and_lie_in_large_pages() -> None:
    offered = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not offered.is_file():
        pytest.skip("this kernel has no large pages")
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "'hg'" in done.stdout


PEAK = """
import atexit
from harness.machine.memory import peak_resident_bytes
atexit.register(lambda: open({file!r}, "w").write(str(peak_resident_bytes())))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="the peak is asked of the kernel")
def test_ten_times_the_images_need_no_more_memory(
    coco_of: Callable[[int], Path], tmp_path: Path
) -> None:
    peaks = []
    for images in (60, 600):
        file = tmp_path / f"peak-{images}"
        command = ["run", "--dataset", "coco", "--data-root", str(coco_of(images))]
        command += ["--derainer", "median", "--task", "none", "--no-images", "--workers", "2"]
        command += ["--workspace", str(tmp_path / f"runs-{images}")]
        assert finish(start(*command, code=PEAK.format(file=str(file))))[0] == 0
        peaks.append(int(file.read_text()))
    assert peaks[1] < 1.05 * peaks[0], peaks
