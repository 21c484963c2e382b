"""Walk over the words of one SQL statement."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from invoicing.toolkit.policy.migrations.tokens import SqlToken

# What may follow the last of several names.
ENDS = {"CASCADE", "RESTRICT", "ON", "RESTART", "CONTINUE", "USING", "WHERE"}


class Words:
    """The tokens of a statement, and how far they have been read."""

    def __init__(self, found: list[SqlToken]) -> None:
        self.found = found
        self.at = 0

    replace = staticmethod(replace)

    def peek(self, ahead: int = 0) -> str:
        """Give the word that comes next, in upper case; an empty one at the end."""
        index = self.at + ahead
        return self.found[index].word if index < len(self.found) else ""

    def take(self) -> str:
        """Read one word."""
        word = self.peek()
        self.at += 1
        return word

    def name(self) -> str:
        """Read one name, as it is written."""
        text = self.found[self.at].text if self.at < len(self.found) else ""
        self.at += 1
        return text

    def skip(self, *words: str) -> bool:
        """Pass over these words if they come next, in this order."""
        if all(self.peek(index) == word for index, word in enumerate(words)):
            self.at += len(words)
            return True
        return False

    def take_all(self, words: set[str]) -> set[str]:
        """Read on while the words are of these."""
        taken = set()
        while self.peek() in words:
            taken.add(self.take())
        return taken

    def has(self, *words: str) -> bool:
        """Tell whether these words stand anywhere ahead, one after the other."""
        ahead = [token.word for token in self.found[self.at :]]
        size = len(words)
        return any(tuple(ahead[i : i + size]) == words for i in range(len(ahead) - size + 1))

    def writes(self) -> bool:
        """Tell whether rows are written anywhere ahead."""
        return any(token.word in {"INSERT", "UPDATE", "MERGE"} for token in self.found)

    def after(self, *words: str, skipping: set[str] | None = None) -> str | None:
        """Read on to one of these words, and give the name behind it."""
        for index in range(self.at, len(self.found) - 1):
            if self.found[index].word in words:
                self.at = index + 1
                self.take_all(skipping or set())
                return self.name()
        return None

    def all_after(self, word: str, then: str | None = None) -> list[str]:
        """Give the names behind each of a word, wherever it stands."""
        names = []
        for index, token in enumerate(self.found):
            behind = index + (2 if then and self.word(index + 1) == then else 1)
            if (
                token.word == word
                and behind < len(self.found)
                and (not then or self.word(index + 1) == then)
            ):
                names.append(self.found[behind].text)
        return names

    def word(self, index: int) -> str:
        """Give the word at a place."""
        return self.found[index].word if index < len(self.found) else ""

    def names(self) -> list[str]:
        """Give every name that is left, each once."""
        return list(
            dict.fromkeys(token.text for token in self.found[self.at :] if token.kind == "name")
        )

    def name_list(self) -> list[str]:
        """Read names with commas between them; a function's parameters are passed over."""
        names = []
        while self.at < len(self.found) and self.peek() not in ENDS:
            names.append(self.name())
            self.pass_parenthesis()
            if not self.skip(","):
                break
        return names

    def pass_parenthesis(self) -> list[SqlToken]:
        """Pass over a parenthesis if one comes next, and give what is in it."""
        if self.peek() != "(":
            return []
        depth, start = 0, self.at
        while self.at < len(self.found):
            word = self.take()
            depth += (word == "(") - (word == ")")
            if not depth:
                break
        return self.found[start + 1 : self.at - 1]

    def parenthesis(self) -> tuple[str, ...] | None:
        """Give the names in the next parenthesis, wherever it opens."""
        while self.at < len(self.found) and self.peek() != "(":
            self.at += 1
        inside = self.pass_parenthesis()
        return tuple(token.text for token in inside if token.kind == "name") or None

    def parts(self) -> Iterator[Words]:
        """Split what is left at the commas outside of parentheses."""
        part: list[SqlToken] = []
        depth = 0
        for token in self.found[self.at :]:
            depth += (token.text == "(") - (token.text == ")")
            if token.text == "," and not depth:
                yield Words(part)
                part = []
            else:
                part.append(token)
        yield Words(part)
