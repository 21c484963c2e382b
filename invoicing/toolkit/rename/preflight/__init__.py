"""What is looked at before anything is touched, by both strategies."""
