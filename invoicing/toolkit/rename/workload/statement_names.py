"""The names in a statement, and what they belong to; which parser found them does not matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from invoicing.toolkit.rename.names import STATE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


_CATALOGS = frozenset({"pg_catalog", "information_schema", STATE})


class Meaning(NamedTuple):
    """What the names in a statement are looked up in.

    Attributes:
        schema: the table's schema.
        tables: the table's names: its own, and the one that it has behind a view.
        column: the old column.
        others: other relations by name, and whether each in a schema has a column of that name.
    """

    schema: str
    tables: frozenset[str]
    column: str
    others: Mapping[str, Mapping[str, bool]]

    def is_table(self, schema: str | None, name: str) -> bool:
        """Return whether a relation may be the table."""
        return name in self.tables and schema in {None, self.schema}

    def is_catalog(self, schema: str | None, name: str) -> bool:
        """Return whether a relation is one of PostgreSQL's own, or of a rename's state."""
        own = schema in _CATALOGS if schema else name.startswith("pg_")
        return own and not self.is_table(schema, name)

    def has_column(self, schema: str | None, name: str) -> bool:
        """Return whether another relation is sure to have a column of that name."""
        found = self.others.get(name, {})
        return found.get(schema, False) if schema else bool(found) and all(found.values())


@dataclass
class Relation:
    """What a query reads or writes, by the name it has there.

    Attributes:
        name: None for a subquery or a function.
        columns: what those of a subquery or a function are called, as far as it is said.
        opaque: whether only the server knows its columns.
    """

    alias: str
    schema: str | None = None
    name: str | None = None
    columns: frozenset[str] = frozenset()
    opaque: bool = False


@dataclass
class QueryScope:
    """One query, and what it can name; `parent` is the query around it."""

    parent: QueryScope | None
    relations: list[Relation] = field(default_factory=list)
    queries: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)

    def outwards(self) -> Iterator[QueryScope]:
        """Yield this query, then those around it."""
        scope: QueryScope | None = self
        while scope is not None:
            yield scope
            scope = scope.parent


class StatementNames:
    """Every name in a statement, as a parser found them; looked up when all are known."""

    def __init__(self, meaning: Meaning) -> None:
        self.meaning = meaning
        self.certain = False
        self._references: list[tuple[QueryScope, tuple[str, ...]]] = []
        self._stars: list[tuple[QueryScope, str | None]] = []
        self._literals: set[str] = set()
        self._only_catalogs: bool | None = None

    def relation(
        self, scope: QueryScope, schema: str | None, name: str, alias: str | None = None
    ) -> None:
        """Note a table, or a name that WITH gave to a query."""
        of_with = schema is None and any(name in outer.queries for outer in scope.outwards())
        scope.relations.append(Relation(alias or name, schema, None if of_with else name))
        if not of_with:
            self._reads(schema, name)

    def derived(
        self, scope: QueryScope, alias: str, columns: Collection[str] = (), *, opaque: bool = False
    ) -> None:
        """Note a subquery, or a function that rows are read from, whose columns are not known."""
        opaque = opaque and not columns
        scope.relations.append(Relation(alias, columns=frozenset(columns), opaque=opaque))

    def reference(
        self, scope: QueryScope, parts: tuple[str, ...], *, ordering: bool = False
    ) -> None:
        """Note a name; one that rows are ordered by may be that of an output."""
        if not (ordering and len(parts) == 1 and parts[0] in scope.outputs):
            self._references.append((scope, parts))

    def star(self, scope: QueryScope, qualifier: str | None) -> None:
        """Note that a query gives every column of what it reads."""
        self._stars.append((scope, qualifier))

    def literal(self, text: str) -> None:
        """Note a string: with a row as a whole, it may be a key (`to_jsonb(b) ->> 'amt'`)."""
        self._literals.add(text)

    def written(self, schema: str | None, name: str, columns: Collection[str] | None) -> None:
        """Note the columns that a statement writes; None for every one."""
        self._reads(schema, name)
        if self.meaning.is_table(schema, name):
            self.certain |= columns is None or self.meaning.column in columns

    def member(self, name: str) -> None:
        """Note a field of a row, or a function, which may be a field too (`amt(b)`)."""
        self.certain |= name == self.meaning.column

    def _reads(self, schema: str | None, name: str) -> None:
        known = self.meaning.is_catalog(schema, name)
        self._only_catalogs = known and self._only_catalogs is not False

    def are_of_catalogs(self) -> bool:
        """Return whether there are relations, and each is PostgreSQL's own or a rename's."""
        return self._only_catalogs is True

    def name_the_column(self) -> bool:
        """Return whether any of them is the old column, or may be."""
        if self._only_catalogs:
            return False
        if self.certain or any(self._means(scope, *parts) for scope, parts in self._references):
            return True
        return self.meaning.column in self._literals and (
            self._hands_on() or any(self._is_row(scope, parts) for scope, parts in self._references)
        )

    def _means(self, scope: QueryScope, *parts: str) -> bool:
        *qualifier, column = parts
        if column != self.meaning.column:
            return False
        if len(qualifier) > 1:
            return self.meaning.is_table(qualifier[-2], qualifier[-1])
        owner = self._owner(scope, qualifier[0] if qualifier else None)
        if owner is None:
            # Of a row that is no relation here, like OLD's; a bare name would be an error.
            return bool(qualifier)
        return self._is_table(owner) or owner.opaque or (owner.name is None and self._hands_on())

    def _owner(self, scope: QueryScope, qualifier: str | None) -> Relation | None:
        """Return what a name belongs to: of several in one query, the surest."""
        for outer in scope.outwards():
            owners = [
                relation
                for relation in outer.relations
                if (relation.alias == qualifier if qualifier else self._may_have(relation))
            ]
            if owners:
                return min(owners, key=self._doubt)
        return None

    def _may_have(self, relation: Relation) -> bool:
        if relation.name is None:
            said = self.meaning.column in relation.columns
            return said or relation.opaque or (not relation.columns and self._hands_on())
        sure = self.meaning.has_column(relation.schema, relation.name)
        return sure or self._is_table(relation)

    def _doubt(self, relation: Relation) -> int:
        if self._is_table(relation):
            return 0
        return 1 if relation.name is not None else 2 + relation.opaque

    def _is_table(self, relation: Relation) -> bool:
        return relation.name is not None and self.meaning.is_table(relation.schema, relation.name)

    def _hands_on(self) -> bool:
        """Return whether a query gives every column of the table to the query around it."""
        return any(
            self._is_table(relation)
            for scope, qualifier in self._stars
            for relation in scope.relations
            if qualifier in {None, relation.alias}
        )

    def _is_row(self, scope: QueryScope, parts: tuple[str, ...]) -> bool:
        return len(parts) == 1 and any(
            relation.alias == parts[0] and (self._is_table(relation) or relation.name is None)
            for outer in scope.outwards()
            for relation in outer.relations
        )
