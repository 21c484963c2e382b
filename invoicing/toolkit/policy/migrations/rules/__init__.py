"""One module for each rule for migrations; each ends in its RULE."""
