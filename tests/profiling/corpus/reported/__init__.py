"""Programs after public bug reports of detectors for any ORM, written from the documentation.

Forty programs, twenty of them wasteful, each with its corrected form, written before a look at the
detectors. The first run found 16 of 20 (it knew no write for each row), named the line of 15 of
those 16 (the reading line is a property's in the other), and one extra finding; it flagged 1 of 40
clean programs (a condition that was not met). Of the 10 fixes that name an option 8 worked: one
dropped the program's criteria, one went a single step up a tree.
"""
