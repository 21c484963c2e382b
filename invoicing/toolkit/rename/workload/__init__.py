"""What others run, and have run, that names the old column."""
