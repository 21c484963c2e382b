"""Programs that waste statements or rows, and programs that only look like it."""
