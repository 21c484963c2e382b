"""What notebooks show: tables, plots and pickers over what the services return."""
