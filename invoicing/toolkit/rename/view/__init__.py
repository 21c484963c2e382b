"""The strategy with a view: in the place of the table, it answers to both names."""
