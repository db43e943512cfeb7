"""Results of long runs, kept in a file as soon as they are known."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# What tells results apart.
KEY = ("set", "split", "contestant", "preparation", "tag", "most_rows")


def _key(result: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(result[name] for name in KEY)


@dataclass
class Cache:
    """Results, in memory and in a file to which each is appended.

    Parameters
    ----------
    file : Path or None
        One JSON object a line; None keeps nothing. Several processes may append at a time.
    """

    file: Path | None
    known: dict[tuple[Any, ...], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the file."""
        if self.file is not None and self.file.exists():
            for line in self.file.read_text().splitlines():
                result = json.loads(line)
                self.known[_key(result)] = result

    def get(self, wanted: dict[str, Any]) -> dict[str, Any] | None:
        """Return a result, or None; refuse one of the same tag with other parameters.

        Parameters
        ----------
        wanted : dict
            What `KEY` names, and "params"; None for any.

        Returns
        -------
        dict or None
            The same with what was measured.
        """
        found = self.known.get(_key(wanted))
        if found is not None and wanted["params"] not in (None, found["params"]):
            raise SystemExit(
                f"Tag {wanted['tag']!r} stands for the parameters {found['params']}: give these "
                "another."
            )
        return found

    def add(self, result: dict[str, Any]) -> None:
        """Keep a result."""
        self.known[_key(result)] = result
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a") as stream:
                stream.write(json.dumps(result) + "\n")
