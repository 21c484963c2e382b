"""How a process of a benchmark measures its own peak memory (Linux)."""

from __future__ import annotations

PEAK = r"""
import re
from pathlib import Path

def peak():
    "Return the peak memory in MB of this process alone (getrusage inherits its parent's)."
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1000
"""
