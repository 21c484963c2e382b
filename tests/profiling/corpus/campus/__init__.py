"""A fifth batch after public bug reports of detectors for any ORM: a university.

Written before a look at what had changed: 31 wasteful programs, each with its corrected form, and
22 that only seem to waste something. The first run found 29 of 31, named the line of all 29,
flagged none of the clean ones wrongly, and the first option that was named worked in all 10. What
it missed: a pool's function with the name of a column (`Lecturer.name` was taken for a call of it),
and a `get` and a commit for each, which the caller may mean: it is among the clean ones here.
"""
