"""The instant way: a view in the place of the table answers to both names."""
