"""One module for each rule for code; each ends in its RULE."""
