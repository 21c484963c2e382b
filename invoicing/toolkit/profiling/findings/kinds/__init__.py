"""One file for each kind of finding; the registry takes `KIND` from every module here."""
