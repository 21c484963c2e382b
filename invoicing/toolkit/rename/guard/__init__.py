"""How fast a backfill may go, by what its clients feel of it."""
