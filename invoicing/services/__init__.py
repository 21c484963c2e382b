"""Every query of the domain."""
