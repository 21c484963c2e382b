"""The proof that migrations can be taken back: they are run, on databases of the proof's own."""

from invoicing.toolkit.policy import Proof
from invoicing.toolkit.proof.checking import assert_reversible, prove_paths
from invoicing.toolkit.proof.proving import prove

__all__ = ["Proof", "assert_reversible", "prove", "prove_paths"]
