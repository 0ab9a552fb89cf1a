from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

BLANKS = " \t\n\v\f\r"


class Part(Protocol):
    def eat(self, text: str) -> tuple[str | None, str] | None: ...


@dataclass(frozen=True)
class Blanks:
    def eat(self, text: str) -> tuple[str | None, str] | None:
        return None, text.lstrip(BLANKS)


@dataclass(frozen=True)
class Literal:
    char: str

    def eat(self, text: str) -> tuple[str | None, str] | None:
        return (None, text[1:]) if text[:1] == self.char else None


@dataclass(frozen=True)
class Run:
    stops: str
    limit: int

    def eat(self, text: str) -> tuple[str | None, str] | None:
        length = 0
        while length < min(self.limit, len(text)) and text[length] not in self.stops:
            length += 1
        return (text[:length], text[length:]) if length else None


WORD = (Blanks(), Run(BLANKS, 63))


def scanf(text: str, *parts: Part) -> list[str]:
    values: list[str] = []
    for part in parts:
        eaten = part.eat(text)
        if eaten is None:
            break
        value, text = eaten
        if value is not None:
            values.append(value)
    return values


def read_config(data: str) -> list[tuple[str, str | None, dict[str, str]]] | str:
    # The rules of the format one after the other, as C would be written; sections or a message.
    sections: list[tuple[str, str | None, dict[str, str]]] = []
    word = ""
    for whole in re.findall(r"[^\n]*\n|[^\n]+", data):
        for start in range(0, len(whole), 1023):
            line = whole[start : start + 1023].split("\0")[0]
            if line.startswith(("\n", "#")):
                continue
            if line.startswith("["):
                quoted = scanf(line, Literal("["), *WORD, Blanks(), Literal('"'), Run('"', 63))
                word = quoted[0] if quoted else word
                plain = scanf(line, Literal("["), Run("]", 63))
                if len(quoted) == 2:
                    sections.append((quoted[0], quoted[1], {}))
                    continue
                if plain:
                    word = plain[0]
                    sections.append((plain[0], None, {}))
                    continue
            assigned = scanf(
                line, *WORD, Blanks(), Literal("="), Blanks(), Literal('"'), Run('"', 1023)
            )
            if not assigned:
                return "parse error"
            if not sections:
                return "no group defined"
            sections[-1][2][assigned[0]] = assigned[1] if len(assigned) == 2 else ""
    if sections:
        sections[-1] = (word, *sections[-1][1:])
    return sections
