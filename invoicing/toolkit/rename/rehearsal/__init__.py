"""A rename tried on a copy of the real schema, judged by a twin that PostgreSQL itself renames."""
