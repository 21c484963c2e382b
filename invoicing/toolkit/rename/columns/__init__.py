"""The strategy with a second column: added, kept equal, filled, and put in the old one's place."""
