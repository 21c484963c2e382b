"""Tell what can make the same question have another answer.

Read off the text of a statement: what writes, locks, sets or defines, also within a CTE or by a
function that is not known to read only. Nothing here asks how long anything took.
"""

from __future__ import annotations

import re
from functools import lru_cache

from invoicing.toolkit.profiling.fingerprint import fingerprint_of, operation_of

_READS = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN", "DESCRIBE"})
_READS |= frozenset({"DECLARE", "FETCH", "CLOSE"})
_WRITES = re.compile(
    r"\b(?:INSERT INTO|UPDATE|DELETE FROM|MERGE INTO|FOR (?:NO KEY )?UPDATE|FOR (?:KEY )?SHARE)\b",
    re.IGNORECASE,
)
_WRITTEN = re.compile(
    r"\b(?:INSERT INTO|UPDATE(?: ONLY)?|DELETE FROM(?: ONLY)?|MERGE INTO|COPY|TRUNCATE(?: TABLE)?)"
    r'\s+([\w".]+)',
    re.IGNORECASE,
)
_CALLS = re.compile(r'((?:\w+|"[^"]*")(?:\.(?:\w+|"[^"]*"))*)\s*\(')
# What stands before a bracket and is no function, and functions that only read.
_KEYWORDS = """
    all and any array as between bit by case cast char character cube decimal distinct else except
    exists filter float from group having ilike in inner intersect interval is join lateral left
    like limit materialized not numeric offset on or outer over partition recursive right rollup row
    select sets similar some then time timestamp union using values varbinary varchar varying when
    where with within
"""
_PURE = """
    abs age array avg bit_and bit_or bool_and bool_or btrim cardinality ceil ceiling char_length
    chr coalesce concat concat_ws convert_from convert_to corr count cume_dist current_date
    current_setting current_time current_timestamp date datediff datetime day decode dense_rank
    encode every exp extract first_value floor format format_type
    generate_series generate_subscripts
    greatest group_concat grouping hour if ifnull iif initcap instr isnull julianday lag last_value
    lead least left length localtime localtimestamp log lower lpad ltrim make_date make_interval
    max md5 min minute mod mode month now nth_value ntile nullif num_nonnulls numnode
    octet_length overlay percent_rank percentile_cont percentile_disc position power printf quarter
    quote_ident quote_literal rank repeat replace reverse right round row_number rpad rtrim second
    sign similarity split_part sqrt stddev stddev_pop stddev_samp strftime strpos substr substring
    sum time timestampdiff timezone total translate trim trunc upper unnest unistr unixepoch
    var_pop var_samp variance version week width_bucket word_similarity year
"""
_KNOWN = frozenset(_KEYWORDS.split()) | frozenset(_PURE.split())
_FAMILIES = re.compile(r"(?:json|jsonb|array|string|to|date|regexp|ts|tsvector|st|xml|range)_\w+")
_FAMILIES_THAT_ARE_NOT = frozenset({"ts_stat"})


@lru_cache(maxsize=2048)
def may_change(text: str) -> bool:
    """Return whether a statement may change what another would answer, or locks what it reads."""
    if operation_of(text) not in _READS:
        return True
    shape = fingerprint_of(text)
    return _WRITES.search(shape) is not None or not _only_reads(shape)


@lru_cache(maxsize=2048)
def tables_written(text: str) -> frozenset[str]:
    """Return the names of the tables that a statement writes, without their schemas."""
    names = _WRITTEN.findall(fingerprint_of(text)) if may_change(text) else ()
    return frozenset(name.rpartition(".")[2].strip('"') for name in names)


def names_table(text: str, tables: frozenset[str]) -> bool:
    """Return whether a statement has one of the names in it."""
    return not tables.isdisjoint(_words(text))


@lru_cache(maxsize=2048)
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", fingerprint_of(text)))


def _only_reads(shape: str) -> bool:
    for name in _CALLS.findall(shape):
        bare = name.lower().removeprefix("pg_catalog.").strip('"')
        known = bare in _KNOWN or (_FAMILIES.fullmatch(bare) and bare not in _FAMILIES_THAT_ARE_NOT)
        if not known:
            return False
    return True
