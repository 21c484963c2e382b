"""Take a share of things by chance: units of work, or requests, in production."""

from __future__ import annotations

from random import Random

from invoicing.toolkit.profiling.errors import SampleError


class Sampler:
    """Takes a share by chance; the same ones whenever a program runs again.

    Args:
        share: above 0 and up to 1, where all are taken.

    Raises:
        SampleError: it is no share.
    """

    def __init__(self, share: object) -> None:
        known = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not known or not 0 < share <= 1:  # type: ignore[operator]
            raise SampleError(share)
        self.share = float(share)  # type: ignore[arg-type]
        self._chance = Random(self.share)  # noqa: S311 -- no secret

    def takes(self) -> bool:
        """Return whether the next is taken."""
        return self.share == 1 or self._chance.random() < self.share
