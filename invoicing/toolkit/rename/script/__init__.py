"""The rename as a script for psql, which asks the catalog when it runs."""
