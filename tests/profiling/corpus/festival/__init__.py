"""A second batch after public bug reports of detectors for any ORM, on a server.

Forty programs, twenty of them wasteful, each with its corrected form, written before a look at the
detectors. The first run found 10 of 20 (it knew no product without a join, no LIKE, range or list
of its own for each row, no lock, upsert or flush for each row, no fan-out over a written list and
no pool of threads), named the line of all 10, and flagged none of the 20 clean ones. Of its 11
fixes 4 were options to apply, and all 4 worked. `clean` was added with the detectors.
"""
