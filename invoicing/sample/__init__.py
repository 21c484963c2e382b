"""Deterministic sample data, from one account to eight million invoices."""
