"""Which of the options each command of a rename takes."""

from __future__ import annotations

BATCHES = ("batch_size", "batch_bytes", "workers", "stripes")
_LOCKS, _GUARD = ("lock_timeout", "lock_attempts"), ("latency_guard", "max_active", "max_wal_rate")
_THROTTLE = (*BATCHES, "pause", "target", "max_replica_lag", *_GUARD)
_SHOWN = ("max_replica_lag", "max_transaction_age", "accept")
_CONVERSION = ("type", "using", "back", "loss")
TAKEN = {
    "plan": ("strategy", *_CONVERSION, "workers", *_SHOWN),
    "rehearse": ("strategy", *_CONVERSION, "accept"),
    "expand": ("strategy", *_CONVERSION, *_LOCKS, "accept"),
    "backfill": (*_THROTTLE, *_LOCKS),
    **dict.fromkeys(("pause", "resume", "throttle"), ()),
    "status": ("max_transaction_age",),
    "gate": ("quiet", "accept"),
    "contract": ("quiet", *_LOCKS, "accept"),
    **dict.fromkeys(("verify", "rollback"), _LOCKS),
    "run": (*_CONVERSION, *_THROTTLE, *_LOCKS, "accept"),
    "restore": ("strategy", *_THROTTLE, *_LOCKS, "accept"),
}
