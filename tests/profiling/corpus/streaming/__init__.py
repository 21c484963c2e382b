"""A fourth batch after public bug reports of detectors for any ORM: a streaming service.

Written before a look at the detectors: 33 wasteful programs, each with its corrected form, and 33
that only seem to waste something. The first run found 31 of 33 (not: a LIKE for each of a list in
the text, a flush for each of 8 new rows), flagged none of the clean ones wrongly, and named the
line of all 31; the first option that was named ran in 11 of 13, and all 11 worked. `load_only` and
`selectin_polymorphic` below a loader were taken for the loader itself.
"""
