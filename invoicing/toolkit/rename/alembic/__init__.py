"""What a rename is in an Alembic project: where it runs, and the revisions that are written."""
