"""The machinery: any table of any database, any SQLAlchemy project."""
