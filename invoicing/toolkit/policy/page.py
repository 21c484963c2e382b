"""The page that explains the rules, made of what stands beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoicing.toolkit.policy.registry import all_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from invoicing.toolkit.policy.rule import Rule

_HEAD = """\
# The rules of the policy gate

Made by `invoicing policy rules --markdown` from the rules themselves. Allow a rule to be broken by
a comment on its line or above it, with a reason: `# policy: allow lazy-raise -- why`.
"""


def rules_page() -> str:
    """Return the page, as Markdown."""
    return "\n".join([_HEAD, *map(_section, all_rules().values())])


# How a rule's fix is made; None where it has none.
HOW_FIXED = {
    None: "",
    "safe": "Its fix is safe: `--fix` makes it.",
    "unsafe": "Its fix is unsafe: `--fix --unsafe-fixes` makes it.",
}


def _section(rule: Rule[Any]) -> str:
    why = "\n\n".join(filter(None, (rule.why, rule.options, HOW_FIXED[rule.applicability])))
    return (
        f"## {rule.slug}\n\n{rule.summary[:1].upper()}{rule.summary[1:]}.\n\n{why}\n\n"
        f"Not:\n\n{_code(first_example(rule.bad))}\nBut:\n\n{_code(first_example(rule.good))}"
    )


def first_example(examples: Mapping[str, str]) -> str:
    """Return the example that is shown."""
    return next(iter(examples.values()))


def _code(text: str) -> str:
    return f"```python\n{text.strip()}\n```\n"
