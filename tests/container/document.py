"""DEPLOYMENT.md, as the test takes it: its commands are run, and what it quotes must be what is seen."""

import re
from pathlib import Path


class Document:
    def __init__(self, path: Path):
        self.text = path.read_text()
        blocks = re.findall(r"^ *<!-- block: (.+?) -->\n( *)```\w*\n(.*?)\n *```$", self.text, re.M | re.S)
        self.blocks = {
            name: "\n".join(line.removeprefix(indent) for line in body.split("\n"))
            for name, indent, body in blocks
        }
        self.unused = set(self.blocks)
        # Code without a mark would never be run.
        fences = len(re.findall(r"^ *```\w+$", self.text, re.M))
        shown = len(re.findall(r"^ *```text$", self.text, re.M))
        if len(blocks) + shown != fences:
            raise ValueError("DEPLOYMENT.md has a code block that the test does not know")
        # The rows of the table of errors, by what is seen.
        table = self.text.split("## When something is wrong", 1)[1]
        self.rows = {
            row.split(" | ")[0].removeprefix("| `").removesuffix("`"): False
            for row in table.splitlines()
            if row.startswith("| `")
        }

    def block(self, name: str) -> str:
        self.unused.discard(name)
        return self.blocks[name]

    def row_is_seen(self, row: str, seen: str) -> None:
        """The row of the table of errors is there, and what was seen fits it."""
        if row not in self.rows:
            raise AssertionError(f"DEPLOYMENT.md has no row {row!r}")
        pattern = ".*".join(re.escape(part) for part in row.split("…"))
        if not re.search(pattern, seen):
            raise AssertionError(f"what was seen is not {row!r}:\n{seen}")
        self.rows[row] = True

    def never_seen(self) -> list[str]:
        return sorted(f"block {name!r}" for name in self.unused) + sorted(
            f"row {row!r}" for row, seen in self.rows.items() if not seen
        )
