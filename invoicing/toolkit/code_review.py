"""What the gate and the profiler share when they write findings for code review."""

from __future__ import annotations

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def github_text(text: str) -> str:
    """Return text as the message of a workflow command of GitHub's, which is one line."""
    for character, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(character, code)
    return text


def github_property(text: str) -> str:
    """Return text as the value of a property of such a command."""
    return github_text(text).replace(":", "%3A").replace(",", "%2C")
