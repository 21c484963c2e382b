"""Rules for SQLAlchemy code, and what they read: the syntax of all files together."""
