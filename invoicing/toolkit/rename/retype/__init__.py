"""A rename that gives the column another type as well: the new column has values of its own."""
