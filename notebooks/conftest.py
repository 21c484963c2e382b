"""What nbval leaves out: the kernel's own warnings on stderr differ from machine to machine."""


def pytest_collectstart(collector: object) -> None:
    """Tell nbval's notebooks not to compare stderr."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
