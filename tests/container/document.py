"""DEPLOYMENT.md and the pages behind it, as the test takes them: their commands are run, and what they quote must be
what is seen."""

import collections
import re
from pathlib import Path

# What describes the deployment, below the repository's root.
PAGES = (
    "DEPLOYMENT.md", "docs/next-steps.md", "docs/operate.md", "docs/without-docker.md", "docs/troubleshooting.md",
    "docs/other-agents.md",
)  # fmt: skip
# Blocks that change nothing, so that once is enough.
READING = {
    "name", "npm network", "option 3 verify", "setup", "advanced", "verify from outside", "a turn", "ids seen", "login", "pair", "invite",
    "systemd verify", "gateway address", "status",
}  # fmt: skip
# Blocks that tests/settings/run pastes twice, into a `.env` of every look.
PASTED = {
    "option 3", "secret files", "new key", "old key", "ids set", "another pc", "smart home on", "devices file",
}  # fmt: skip
# Of these tests/agents/run takes care.
OF_AGENTS = "agents: "


class Document:
    def __init__(self, *paths: Path):
        self.blocks: dict[str, str] = {}
        self.told: dict[str, str] = {}
        self.rows: dict[str, bool] = {}
        texts = [path.read_text() for path in paths]
        self.text = "\n".join(texts)
        for path, text in zip(paths, texts):
            self._read(path, text)
        self.runs = collections.Counter({name: 0 for name in self.blocks if not name.startswith(OF_AGENTS)})
        assert self.told.keys() <= self.blocks.keys(), self.told.keys() - self.blocks.keys()
        self.not_told = {name for name in self.told if not name.startswith(OF_AGENTS)}

    def _read(self, path: Path, text: str) -> None:
        """Adds the blocks and rows of one page."""

        def add(kept: dict, name: str, value) -> None:
            assert name not in kept, f"{path.name} has {name!r} a second time"
            kept[name] = value

        blocks = re.findall(r"^ *<!-- block: (.+?) -->\n( *)```\w*\n(.*?)\n *```$", text, re.M | re.S)
        for name, indent, body in blocks:
            add(self.blocks, name, "\n".join(line.removeprefix(indent) for line in body.split("\n")))
        # What a block prints when all is well; `…` stands for what differs.
        for name, indent, body in re.findall(r"^ *<!-- seen: (.+?) -->\n( *)```text\n(.*?)\n *```$", text, re.M | re.S):
            add(self.told, name, "\n".join(line.removeprefix(indent) for line in body.split("\n")))
        # Code without a mark would never be run.
        fences = len(re.findall(r"^ *```\w+$", text, re.M))
        shown = len(re.findall(r"^ *```text$", text, re.M))
        # Of configurations tests/proxies takes care.
        configs = len(re.findall(r"^<!-- config: .+ -->\n```(?!text)", text, re.M))
        if len(blocks) + shown + configs != fences:
            raise ValueError(f"{path.name} has a code block that the test does not know")
        # The rows of the tables of errors, by what is seen.
        for table in re.findall(r"^\| Error \| .*\n\| ---.*\n((?:\| .*\n)+)", text, re.M):
            for row in table.splitlines():
                add(self.rows, row.split(" | ")[0].removeprefix("| ").strip("`"), False)

    def block(self, name: str) -> str:
        """The block's text, which is about to be run."""
        self.runs[name] += 1
        return self.blocks[name]

    def is_told(self, name: str, printed: str) -> None:
        """What the block printed is what the document shows under it."""
        if not re.fullmatch(pattern(self.told[name]), printed.strip(), re.S):
            raise AssertionError(f"what {name!r} printed is not what the document shows:\n{printed}")
        self.not_told.discard(name)

    def row_is_seen(self, row: str, seen: str) -> None:
        """The row of the table of errors is there, and what was seen fits it."""
        if row not in self.rows:
            raise AssertionError(f"no table of errors has a row {row!r}")
        if not re.search(pattern(row), seen):
            raise AssertionError(f"what was seen is not {row!r}:\n{seen}")
        self.rows[row] = True

    def case_is_made(self, row: str) -> None:
        """What the row calls by no program's words has just happened."""
        if row not in self.rows:
            raise AssertionError(f"no table of errors has a row {row!r}")
        self.rows[row] = True

    def never_seen(self) -> list[str]:
        enough = {name: 1 if name in READING | PASTED else 2 for name in self.runs}
        return (
            sorted(f"block {name!r}, {runs} of {enough[name]} times" for name, runs in self.runs.items() if runs < enough[name])
            + sorted(f"what {name!r} prints" for name in self.not_told)
            + sorted(f"row {row!r}" for row, seen in self.rows.items() if not seen)
        )


def deployment(root: Path) -> Document:
    """All pages of the deployment."""
    return Document(*(root / page for page in PAGES))


def pattern(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split("…"))
