"""A third batch after public bug reports of detectors for any ORM: asyncpg, psycopg, SQLModel.

Written before a look at the detectors: 21 wasteful programs, each with its corrected form, and 10
that only seem to waste something. The first run found 20 of 21, named the line of all 20, and
flagged none of the 31 clean ones; 14 of the 20 fixes were objects, and all 14 worked. What it
missed, a flush after each change of an object, is fine in `outside/fine_write.py`, and left out
here. A column that `load_only` left out below a loader was taken for a query of the program's own.
"""
