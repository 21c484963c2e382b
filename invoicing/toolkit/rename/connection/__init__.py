"""The connections of a rename, statements that need a lock, and who blocks them."""
