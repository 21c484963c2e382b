"""Load accounts, invoices and lines from files of the user's own."""
