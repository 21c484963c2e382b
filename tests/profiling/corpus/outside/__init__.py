"""A second corpus, written by the issue alone, without a look at how the findings are found."""
