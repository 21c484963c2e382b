"""Hold a project to its own rules: what its Python and its migrations may not do."""
