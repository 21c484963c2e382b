"""All files together: what a name leads to, which classes are mapped, and what they inherit.

Names are followed through imports, aliases, re-exports and star imports. What leads out of the
checked files is known by its dotted name only.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from invoicing.toolkit.policy.python.syntax import (
        AttributeSyntax,
        CallSyntax,
        ClassSyntax,
        FunctionSyntax,
        Keyword,
        ModuleSyntax,
    )
    from invoicing.toolkit.policy.settings import PolicySettings

# A chain of re-exports longer than this goes in a circle.
LONGEST = 30
# So many folders above the root may be a part of a module's name.
MOST_ABOVE = 3
BASES = {"DeclarativeBase", "DeclarativeBaseNoMeta"}
DECLARATIVE = {
    "sqlalchemy.orm.DeclarativeBase",
    "sqlalchemy.orm.DeclarativeBaseNoMeta",
    "sqlalchemy.orm.decl_api.DeclarativeBase",
    "sqlalchemy.orm.MappedAsDataclass",
}
SQLMODEL = {"sqlmodel.SQLModel", "sqlmodel.main.SQLModel"}
MAKES_BASES = {
    "sqlalchemy.orm.declarative_base",
    "sqlalchemy.ext.declarative.declarative_base",
    "sqlalchemy.ext.automap.automap_base",
}
# Where sqlalchemy's public names are made, to be known by either.
HOMES = (
    ("sqlalchemy.orm._orm_constructors.", "sqlalchemy.orm."),
    ("sqlalchemy.orm.relationships.", "sqlalchemy.orm."),
    ("sqlalchemy.orm.strategy_options.", "sqlalchemy.orm."),
    ("sqlalchemy.orm.session.", "sqlalchemy.orm."),
    ("sqlalchemy.ext.asyncio.session.", "sqlalchemy.ext.asyncio."),
    ("sqlalchemy.ext.asyncio.engine.", "sqlalchemy.ext.asyncio."),
    ("sqlalchemy.engine.create.", "sqlalchemy."),
)


class MappedClass(NamedTuple):
    """A class and the module it is in."""

    module: ModuleSyntax
    syntax: ClassSyntax

    @property
    def name(self) -> str:
        """Its dotted name."""
        return f"{self.module.module}.{self.syntax.name}"


class Project:
    """The checked files.

    Attributes:
        modules: what is kept of each.
        settings: where things are.
        root: its folder.
        notes: what a rule works out once, by its own name and keys.
    """

    def __init__(
        self, modules: list[ModuleSyntax], settings: PolicySettings, root: Path | None = None
    ) -> None:
        self.modules = modules
        self.settings = settings
        self.root = root or Path()
        self.notes: dict[str, dict[Any, Any]] = {}
        self._by_name = {module.module: module for module in modules}
        self._by_ending = _by_ending(modules, root)
        self._resolved: dict[tuple[str, str], str | None] = {}
        self._ancestors: dict[str, tuple[list[MappedClass], list[str]]] = {}
        self._declarative: dict[str, bool] = {}
        self._migrations: dict[str, bool] = {}

    def module(self, name: str) -> ModuleSyntax | None:
        """Return the checked module of a dotted name; also where its path begins further up."""
        return self._by_name.get(name) or self._by_ending.get(name)

    @cached_property
    def classes(self) -> dict[str, MappedClass]:
        """Every class by its dotted name."""
        return {
            f"{module.module}.{syntax.name}": MappedClass(module, syntax)
            for module in self.modules
            for syntax in module.classes
        }

    def is_migration(self, module: ModuleSyntax) -> bool:
        """Return whether a module is a revision: what it says of models was true once."""
        if module.path not in self._migrations:
            settings = self.settings
            self._migrations[module.path] = module.revision is not None or settings.matches(
                module.path, settings.migrations
            )
        return self._migrations[module.path]

    @cached_property
    def model_files(self) -> set[str]:
        """The paths of the files of models in which a class is mapped."""
        return {
            mapped.module.path
            for mapped in self.mapped
            if self.settings.matches(mapped.module.path, self.settings.models)
        }

    def resolve(self, module: ModuleSyntax, name: str | None) -> str | None:
        """Return the dotted name of what a name in a module stands for, wherever it is made."""
        if name is None or name.startswith("."):
            return None
        key = (module.path, name)
        if key not in self._resolved:
            self._resolved[key] = self._resolve(module, name)
        return self._resolved[key]

    def _resolve(self, module: ModuleSyntax, name: str) -> str | None:
        head, _, rest = name.partition(".")
        target = module.imports.get(head)
        if target is None:
            local = f"{module.module}.{name}"
            if local in self.classes or f"{module.module}.{head}" in self.classes:
                return local
            alias = module.functions[0].names.get(head)
            if isinstance(alias, str) and alias != head and not rest:
                return self.resolve(module, alias)
            for star in module.stars:
                starred = f"{star}.{name}"
                made = self._follow(starred)
                # Followed to where it is made, or said by a module that is not checked.
                if made != starred or made in self.classes or star.startswith("sqlalchemy"):
                    return _public(made)
            return local
        target = self._beside(module, target)
        return _public(self._follow(f"{target}.{rest}" if rest else target))

    def _beside(self, module: ModuleSyntax, target: str) -> str:
        """Return what an import leads to; in a folder that is no package, to the file beside it."""
        package = module.module.rpartition(".")[0]
        near = f"{package}.{target}"
        top = near.removesuffix(target) + target.partition(".")[0]
        is_plain = package and package not in self._by_name
        return near if is_plain and top in self._by_name else target

    def _follow(self, name: str, depth: int = 0) -> str:
        """Return where a dotted name leads, through the checked modules that re-export it."""
        if name in self.classes or depth > LONGEST:
            return name
        parts = name.split(".")
        for length in range(len(parts) - 1, 0, -1):
            module = self.module(".".join(parts[:length]))
            if module is None:
                continue
            head, *rest = parts[length:]
            if f"{module.module}.{head}" in self.classes:
                return ".".join([module.module, head, *rest])
            target = module.imports.get(head)
            if target is None:
                alias = module.functions[0].names.get(head)
                if not isinstance(alias, str):
                    return self._by_star(module, parts[length:], depth) or name
                target = module.imports.get(alias.partition(".")[0], f"{module.module}.{alias}")
            following = ".".join([target, *rest])
            return following if following == name else self._follow(following, depth + 1)
        return name

    def _by_star(self, module: ModuleSyntax, parts: list[str], depth: int) -> str | None:
        for star in module.stars:
            made = self._follow(".".join([star, *parts]), depth + 1)
            if made in self.classes:
                return made
        return None

    def class_of(self, module: ModuleSyntax, name: str | None) -> MappedClass | None:
        """Return the checked class that a name stands for."""
        return self.classes.get(self.resolve(module, name) or "")

    def ancestors(self, mapped: MappedClass) -> tuple[list[MappedClass], list[str]]:
        """Return the checked classes it inherits from, itself first, and the others' names."""
        name = mapped.name
        if name not in self._ancestors:
            self._ancestors[name] = self._above(mapped)
        return self._ancestors[name]

    def _above(self, mapped: MappedClass) -> tuple[list[MappedClass], list[str]]:
        checked: dict[str, MappedClass] = {}
        outside: list[str] = []
        waiting = [mapped]
        while waiting:
            current = waiting.pop(0)
            if current.name in checked:
                continue
            checked[current.name] = current
            for base in current.syntax.bases:
                target = self.class_of(current.module, base)
                if target is not None:
                    waiting.append(target)
                else:
                    outside.append(self._outside(current.module, base))
        return list(checked.values()), outside

    def _outside(self, module: ModuleSyntax, base: str | None) -> str:
        resolved = self.resolve(module, base) or "?"
        made = self._made_by(module, base, resolved)
        return "sqlalchemy.orm.DeclarativeBase" if made in MAKES_BASES else resolved

    def _made_by(self, module: ModuleSyntax, base: str | None, resolved: str) -> str | None:
        """Return what was called to make a base: `Base = declarative_base()`."""
        owner, _, name = resolved.rpartition(".")
        home = self.module(owner) or module
        call = home.functions[0].names.get(name or base or "")
        if call is None or isinstance(call, str):
            return None
        if call.callee.endswith(".generate_base"):
            return "sqlalchemy.orm.declarative_base"
        return self.resolve(home, call.callee)

    @cached_property
    def mapped(self) -> list[MappedClass]:
        """The mapped classes: declarative, with a table of their own or of their parent's."""
        return [candidate for candidate in self.classes.values() if self.is_mapped(candidate)]

    def is_declarative(self, mapped: MappedClass) -> bool:
        """Return whether a class leads to a declarative base, or is mapped by a decorator."""
        name = mapped.name
        if name not in self._declarative:
            self._declarative[name] = self._leads_to_base(mapped)
        return self._declarative[name]

    def _leads_to_base(self, mapped: MappedClass) -> bool:
        classes, outside = self.ancestors(mapped)
        if SQLMODEL & {*outside}:
            return mapped.syntax.keywords.get("table") == "True"
        return bool(DECLARATIVE & {*outside} - {"sqlalchemy.orm.MappedAsDataclass"}) or any(
            _is_decorated(each.syntax) for each in classes
        )

    def is_mapped(self, mapped: MappedClass) -> bool:
        """Return whether a class is mapped to a table; abstract classes and bases are not."""
        if not self.is_declarative(mapped) or _is_abstract(mapped.syntax):
            return False
        # A base may say how the tables below it are called, and has none itself.
        if BASES & {(base or "").rpartition(".")[2] for base in mapped.syntax.bases}:
            return False
        classes, _ = self.ancestors(mapped)
        return any(_has_table(each.syntax) for each in classes)

    def attribute(
        self, mapped: MappedClass, name: str
    ) -> tuple[MappedClass, AttributeSyntax] | None:
        """Return a class's attribute, its own or the nearest it inherits."""
        for each in self.ancestors(mapped)[0]:
            if name in each.syntax.attributes:
                return each, each.syntax.attributes[name]
        return None

    def constant(self, module: ModuleSyntax, name: str | None) -> str | dict[str, str] | None:
        """Return the constant that a module-level name is bound to, in whatever checked module."""
        if name is None:
            return None
        if name in module.constants:
            return module.constants[name]
        owner, _, last = (self.resolve(module, name) or "").rpartition(".")
        home = self.module(owner)
        return home.constants.get(last) if home is not None else None

    def keyword(self, module: ModuleSyntax, call: CallSyntax, name: str) -> KeywordValue:
        """Return what a keyword argument is, also by a constant, an expansion or a `partial`."""
        given = call.keywords.get(name)
        if given is not None:
            return self._value(module, given)
        unknown = False
        for expanded in call.expanded:
            constants = self.constant(module, expanded)
            if isinstance(constants, dict):
                if name in constants:
                    return KeywordValue(constants[name])
            else:
                unknown = True
        return KeywordValue(None, is_known=not unknown, is_given=False)

    def _value(self, module: ModuleSyntax, given: Keyword) -> KeywordValue:
        if given.text is not None:
            return KeywordValue(given.text)
        constant = self.constant(module, given.name)
        return (
            KeywordValue(constant)
            if isinstance(constant, str)
            else KeywordValue(None, is_known=False)
        )

    def calls_of(self, module: ModuleSyntax, call: CallSyntax) -> tuple[str | None, CallSyntax]:
        """Return what a call calls; through `partial`, that, with its keywords added."""
        bound = module.functions[0].names.get(call.callee)
        if bound is not None and not isinstance(bound, str):
            made = self.resolve(module, bound.callee)
            if made == "functools.partial" and bound.arguments:
                merged = {**bound.keywords, **call.keywords}
                syntax = _with_keywords(call, merged, (*bound.expanded, *call.expanded))
                return self.resolve(module, bound.arguments[0]), syntax
        callee = self.resolve(module, call.callee)
        factory = self.factory(callee)
        if factory is not None and factory[1].made is not None:
            home, function = factory
            inner = factory[1].made
            merged = {**function.defaults, **inner.keywords, **call.keywords}
            return self.resolve(home, inner.callee), _with_keywords(call, merged, call.expanded)
        return callee, call

    def factory(self, name: str | None) -> tuple[ModuleSyntax, FunctionSyntax] | None:
        """Return the checked function of a dotted name, if it returns what another call makes."""
        owner, _, last = (name or "").rpartition(".")
        home = self.module(owner)
        for function in home.functions if home is not None else ():
            if function.name == last and function.made is not None and not function.class_name:
                return (home, function) if home is not None else None
        return None


def _by_ending(modules: list[ModuleSyntax], root: Path | None) -> dict[str, ModuleSyntax]:
    """Return modules by the ends of their paths, where only one of them ends so.

    `src/app/models.py` is imported as `app.models`; so is `models.py` where `app` itself is the
    root, and no file says that it is a package.
    """
    above = root.resolve().parts[-MOST_ABOVE:] if root is not None else ()
    found: dict[str, ModuleSyntax | None] = {}
    for module in modules:
        parts = module.path.removesuffix(".py").removesuffix("/__init__").split("/")
        if not module.path.endswith(".py"):
            continue
        full = [*above, *parts]
        for start in range(len(full) - 1):
            name = ".".join(full[start:])
            found[name] = None if name in found else module
    return {name: module for name, module in found.items() if module is not None}


class KeywordValue(NamedTuple):
    """What an argument is.

    Attributes:
        text: its constant value.
        is_known: whether it could be determined.
        is_given: whether it was given at all.
    """

    text: str | None
    is_known: bool = True
    is_given: bool = True


def _with_keywords(
    call: CallSyntax, keywords: dict[str, Keyword], expanded: tuple[str | None, ...]
) -> CallSyntax:
    return call._replace(keywords=keywords, expanded=expanded)


def _public(name: str) -> str:
    for home, public in HOMES:
        if name.startswith(home):
            return public + name.removeprefix(home)
    return name


def _is_decorated(syntax: ClassSyntax) -> bool:
    last = {(decorator or "").rpartition(".")[2] for decorator in syntax.decorators}
    return bool(last & {"mapped", "mapped_as_dataclass"})


def _is_abstract(syntax: ClassSyntax) -> bool:
    abstract = syntax.attributes.get("__abstract__")
    return abstract is not None and abstract.constant == "True"


def _has_table(syntax: ClassSyntax) -> bool:
    named = {"__tablename__", "__table__"} & syntax.attributes.keys()
    return bool(named) or syntax.keywords.get("table") == "True"
