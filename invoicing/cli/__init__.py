"""The command line: it parses, calls and shows, and holds no logic."""
