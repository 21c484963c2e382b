"""What the policy gate refuses."""

from __future__ import annotations

from invoicing.errors import UnknownSlugError, UsageError, error_of_fields


class PolicyError(UsageError):
    """The gate could not run."""


@error_of_fields
class PolicySettingsError(PolicyError):
    """[tool.invoicing.policy] cannot be used."""

    path: str
    reason: str
    message = "cannot use {path}: {reason}. See: invoicing policy --help"


@error_of_fields
class PolicyPathError(PolicyError):
    """A path to be checked does not exist."""

    path: str
    message = "cannot check {path}: no such file or folder{hint}"

    def __post_init__(self) -> None:
        """Say what a pattern of a shell means here."""
        is_pattern = set("*?[") & set(self.path)
        self.hint = ". A pattern is not expanded: name the folder" if is_pattern else ""
        super().__post_init__()


class UnknownRuleError(PolicyError, UnknownSlugError):
    """No rule has this slug."""

    kind = "rule"


@error_of_fields
class ModelsImportError(PolicyError):
    """The package whose mappers were to be looked at cannot be imported."""

    package: str
    reason: str
    message = (
        "cannot look at the models of {package}: {reason}. Check without --models, or from "
        "where it can be imported"
    )


@error_of_fields
class BaselineError(PolicyError):
    """A baseline cannot be read."""

    path: str
    reason: str
    message = (
        "cannot read the baseline {path}: {reason}. Write a new one: invoicing policy check "
        "--write-baseline {path}"
    )


@error_of_fields
class NotebookError(PolicyError):
    """A file that is called a notebook is none."""

    reason: str
    message = "it is no notebook: {reason}"


@error_of_fields
class DiffBaseError(PolicyError):
    """Git cannot say what differs from a commit."""

    base: str
    reason: str
    message = (
        "cannot compare with {base}: {reason}. Name a commit that is here, as "
        "--diff-base origin/main"
    )


@error_of_fields
class NewRuleError(PolicyError):
    """A rule cannot be begun."""

    slug: str
    reason: str
    message = (
        "cannot write the rule {slug}: {reason}. Run in a clone of invoicing: invoicing policy "
        "new-rule no-surprise"
    )
