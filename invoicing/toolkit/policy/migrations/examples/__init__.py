"""Snippets that break or keep each rule; the documentation shows them, and the tests run them."""
