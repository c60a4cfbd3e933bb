"""DEPLOYMENT.md, as the test takes it: its commands are run, and what it quotes must be what is seen."""

import collections
import re
from pathlib import Path

# Blocks that change nothing, so that once is enough.
READING = {
    "name", "npm network", "option 3 verify", "setup", "advanced", "verify from outside", "a turn", "ids seen", "login", "pair", "invite",
    "systemd verify", "gateway address", "status",
}  # fmt: skip
# Blocks that tests/settings/run pastes twice, into a `.env` of every look.
PASTED = {
    "option 3 settings", "secret files", "new key", "old key", "ids set", "another pc", "smart home on", "devices file",
}  # fmt: skip
# Of these tests/agents/run takes care.
OF_AGENTS = "agents: "


class Document:
    def __init__(self, path: Path):
        self.text = path.read_text()
        blocks = re.findall(r"^ *<!-- block: (.+?) -->\n( *)```\w*\n(.*?)\n *```$", self.text, re.M | re.S)
        self.blocks = {
            name: "\n".join(line.removeprefix(indent) for line in body.split("\n"))
            for name, indent, body in blocks
        }
        self.runs = collections.Counter({name: 0 for name in self.blocks if not name.startswith(OF_AGENTS)})
        # What a block prints when all is well; `…` stands for what differs.
        told = re.findall(r"^ *<!-- seen: (.+?) -->\n( *)```text\n(.*?)\n *```$", self.text, re.M | re.S)
        self.told = {name: body for name, _, body in told}
        assert self.told.keys() <= self.blocks.keys(), self.told.keys() - self.blocks.keys()
        self.not_told = {name for name in self.told if not name.startswith(OF_AGENTS)}
        # Code without a mark would never be run.
        fences = len(re.findall(r"^ *```\w+$", self.text, re.M))
        shown = len(re.findall(r"^ *```text$", self.text, re.M))
        # Of configurations tests/proxies takes care.
        configs = len(re.findall(r"^<!-- config: .+ -->\n```(?!text)", self.text, re.M))
        if len(blocks) + shown + configs != fences:
            raise ValueError(f"{path.name} has a code block that the test does not know")
        # The rows of the table of errors, by what is seen.
        _, _, table = self.text.partition("## Common Errors and Solutions")
        _, _, table = table.partition("| --- | --- | --- | --- |\n")
        self.rows = {
            row.split(" | ")[0].removeprefix("| ").strip("`"): False
            for row in table.splitlines()
            if row.startswith("| ")
        }

    def block(self, name: str) -> str:
        """The block's text, which is about to be run."""
        self.runs[name] += 1
        return self.blocks[name]

    def is_told(self, name: str, printed: str) -> None:
        """What the block printed is what the document shows under it."""
        if not re.fullmatch(pattern(self.told[name]), printed.strip(), re.S):
            raise AssertionError(f"what {name!r} printed is not what DEPLOYMENT.md shows:\n{printed}")
        self.not_told.discard(name)

    def row_is_seen(self, row: str, seen: str) -> None:
        """The row of the table of errors is there, and what was seen fits it."""
        if row not in self.rows:
            raise AssertionError(f"DEPLOYMENT.md has no row {row!r}")
        if not re.search(pattern(row), seen):
            raise AssertionError(f"what was seen is not {row!r}:\n{seen}")
        self.rows[row] = True

    def case_is_made(self, row: str) -> None:
        """What the row calls by no program's words has just happened."""
        if row not in self.rows:
            raise AssertionError(f"DEPLOYMENT.md has no row {row!r}")
        self.rows[row] = True

    def never_seen(self) -> list[str]:
        enough = {name: 1 if name in READING | PASTED else 2 for name in self.runs}
        return (
            sorted(f"block {name!r}, {runs} of {enough[name]} times" for name, runs in self.runs.items() if runs < enough[name])
            + sorted(f"what {name!r} prints" for name in self.not_told)
            + sorted(f"row {row!r}" for row, seen in self.rows.items() if not seen)
        )


def pattern(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split("…"))
