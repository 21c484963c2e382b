"""What the policy gate refuses."""

from __future__ import annotations

from difflib import get_close_matches

from invoicing.errors import UsageError


class PolicyError(UsageError):
    """The gate could not run."""


class PolicySettingsError(PolicyError):
    """[tool.invoicing.policy] cannot be used.

    Attributes:
        path: the file.
        reason: what is wrong in it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"cannot use {path}: {reason}. See: invoicing policy --help")


class PolicyPathError(PolicyError):
    """A path to be checked does not exist.

    Attributes:
        path: as it was given.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        hint = ". A pattern is not expanded: name the folder" if set("*?[") & set(path) else ""
        super().__init__(f"cannot check {path}: no such file or folder{hint}")


class UnknownRuleError(PolicyError):
    """No rule has this slug.

    Attributes:
        slug: what was given.
        known: the slugs of all rules.
    """

    def __init__(self, slug: str, known: tuple[str, ...]) -> None:
        self.slug = slug
        self.known = known
        near = get_close_matches(slug, known, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        super().__init__(f"unknown rule {slug!r}. {meant}Expected one of: {', '.join(known)}")


class ModelsImportError(PolicyError):
    """The package whose mappers were to be looked at cannot be imported.

    Attributes:
        package: its name.
        reason: what importing it raised.
    """

    def __init__(self, package: str, reason: str) -> None:
        self.package = package
        self.reason = reason
        super().__init__(
            f"cannot look at the models of {package}: {reason}. Check without --models, or from "
            "where it can be imported"
        )


class BaselineError(PolicyError):
    """A baseline cannot be read.

    Attributes:
        path: the file.
        reason: what is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(
            f"cannot read the baseline {path}: {reason}. Write a new one: invoicing policy check "
            f"--write-baseline {path}"
        )


class NotebookError(PolicyError):
    """A file that is called a notebook is none.

    Attributes:
        reason: what is wrong with it.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"it is no notebook: {reason}")


class DiffBaseError(PolicyError):
    """Git cannot say what differs from a commit.

    Attributes:
        base: the commit.
        reason: what git says.
    """

    def __init__(self, base: str, reason: str) -> None:
        self.base = base
        self.reason = reason
        super().__init__(
            f"cannot compare with {base}: {reason}. Name a commit that is here, as "
            "--diff-base origin/main"
        )
