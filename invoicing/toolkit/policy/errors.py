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
    """A path to be checked is not there.

    Attributes:
        path: as it was given.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"there is no {path}. Give files or folders that are there")


class UnknownRuleError(PolicyError):
    """A slug is no rule's.

    Attributes:
        slug: what was given.
        known: the rules there are.
    """

    def __init__(self, slug: str, known: tuple[str, ...]) -> None:
        self.slug = slug
        self.known = known
        near = get_close_matches(slug, known, 1)
        meant = f"Did you mean {near[0]}? " if near else ""
        super().__init__(f"there is no rule {slug!r}. {meant}There are: {', '.join(known)}")


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
            f"{path} is no baseline ({reason}). Write one: invoicing policy check "
            f"--write-baseline {path}"
        )
