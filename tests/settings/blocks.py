"""The deployment's blocks that read or change `.env`, over files of every look. Each block's own text is run in
a plain shell, once and once more; afterwards `.env` must hold for Compose what it should, and all that it held
besides. Docker and its like are stood in for by programs that do next to nothing."""

import io
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import dotenv

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "container"))
from document import PASTED, deployment  # noqa: E402

SECRET = "0123456789abcdef" * 4
KEY = "fedcba9876543210" * 4
OLD = "old-key_0123456789"
IDS = "ALICE_SKILL_ID=3ad36498-f5rd ALICE_USER_IDS=6C91DA"
HEX = re.compile("[0-9a-f]{64}")
# Each with a locale.
SHELLS = ((("dash",), "C"), (("bash", "-eu"), "C.UTF-8"))

PLAIN = f"# Settings.\nWEBHOOK_SECRET={SECRET}\nAPI_KEY={KEY}\n#API_KEY=not-this\nLOG_LEVEL=debug\nNPM_NETWORK=proxy\n"


def files(key: str) -> dict[str, bytes]:
    """The files by what is odd about them; each says the same, with this `API_KEY`."""
    plain = PLAIN.replace(KEY, key)
    bare = f"WEBHOOK_SECRET={SECRET}\nAPI_KEY={key}\n"
    quoted = re.sub("^([A-Z_]+)=(.*)$", r'\1="\2"', plain, flags=re.M)
    texts = {
        "as it is made": plain,
        "no last line break": plain.removesuffix("\n"),
        "the key at the end, no line break": f"WEBHOOK_SECRET={SECRET}\nAPI_KEY={key}",
        "the secret at the end, no line break": f"API_KEY={key}\nWEBHOOK_SECRET={SECRET}",
        "CRLF": plain.replace("\n", "\r\n"),
        "CRLF, no last line break": plain.replace("\n", "\r\n").removesuffix("\r\n"),
        "BOM": "\ufeff" + plain,
        "BOM before the secret": "\ufeff" + bare,
        "BOM before the key, CRLF": f"\ufeffAPI_KEY={key}\r\nWEBHOOK_SECRET={SECRET}\r\n",
        "double quotes": quoted,
        "single quotes": quoted.replace('"', "'"),
        "double quotes, CRLF, BOM, no last line break": "\ufeff" + quoted.replace("\n", "\r\n").removesuffix("\r\n"),
        "spaces around the sign": plain.replace("=", " = "),
        "spaces around the sign, quotes": quoted.replace("=", " = "),
        "spaces at the ends": re.sub("^(.)", r"  \1", plain, flags=re.M).replace("\n", "  \n"),
        "tabs before the names": re.sub("^([A-Z])", r"\t\1", plain, flags=re.M),
        "a comment behind the values": re.sub("^([A-Z].*)$", r"\1 # one, two", plain, flags=re.M),
        "a comment behind quotes": re.sub("^([A-Z].*)$", r"\1 # one, two", quoted, flags=re.M),
        "export": re.sub("^([A-Z])", r"export \1", plain, flags=re.M),
        "told twice, the last counts": bare.replace(key, "an-earlier-key").replace(SECRET, "an-earlier-one") + plain,
        "empty lines": plain.replace("\n", "\n\n"),
        "empty ids": plain + "ALICE_SKILL_ID=\nALICE_USER_IDS=any",
        "another's names": plain + "MY_API_KEY=mine\nAPI_KEY_OF=theirs\nX_WEBHOOK_SECRET=x\n",
        "Russian comments": "# Секреты, API_KEY=нет\n" + plain,
    }
    return {look: text.encode() for look, text in texts.items()}


def read(content: bytes) -> dict:
    """What Compose 1.29 reads."""
    return dict(dotenv.dotenv_values(stream=io.StringIO(content.decode("utf-8-sig"))))


class Bench:
    def __init__(self, work: Path, newest: str):
        self.work = work
        self.newest = newest
        self.document = deployment(REPOSITORY)
        self.tried = 0
        self.pasted: set[str] = set()
        programs = work / "programs"
        programs.mkdir()
        for name, text in {
            "docker": f"echo 'INFO x] A turn came in. If it was yours, these let in nobody else'\"'s: {IDS}\"",
            "docker-compose": "echo up >> up",
            "git": "mkdir home-alice-relay; cp ../.env.example home-alice-relay",
            "chown": "exit 0",
        }.items():
            (programs / name).write_text(f"#!/bin/sh\n{text}\n")
            (programs / name).chmod(0o755)
        self.path = f"{programs}:{os.environ['PATH']}"

    def folder(self, content: bytes | None) -> Path:
        """A folder like a clone, with a `.env` that holds this."""
        self.tried += 1
        folder = self.work / "bench" / str(self.tried)
        folder.mkdir(parents=True)
        (folder / ".env.example").write_bytes((REPOSITORY / ".env.example").read_bytes())
        for name in ("files", "deploy", "examples"):
            (folder / name).mkdir()
        (folder / "deploy" / "secret-files.yml").write_text("services: {}\n")
        (folder / "examples" / "smart-home.json").touch()
        if content is not None:
            (folder / ".env").write_bytes(content)
            (folder / ".env").chmod(0o600)
        return folder

    def paste(self, block: str, folder: Path, shell, locale: str, times: int):
        """Runs a block so many times in that folder."""
        if times == 2:
            self.pasted.add(block)
        for _ in range(times):
            done = subprocess.run(
                [*shell, "-c", self.document.block(block)], cwd=folder, capture_output=True, timeout=20,
                env={"PATH": self.path, "LC_ALL": locale},
            )  # fmt: skip
            # The last line of a block may say no, and nothing else may be said.
            assert not done.stderr, (block, done.stderr)

    def run(self, block: str, content: bytes | None, shell, locale: str, times: int) -> Path:
        """Runs a block so many times beside a `.env` that holds this; the folder it ran in."""
        folder = self.folder(content)
        self.paste(block, folder, shell, locale, times)
        assert content is None or (folder / ".env").stat().st_mode & 0o777 == 0o600
        return folder

    def over_all(self, block: str, key: str):
        """Each file, shell, locale and number of pastes: how it is called, what it held, and the folder."""
        for look, content in files(key).items():
            for (shell, locale), times in itertools.product(SHELLS, (1, 2)):
                name = f"{block!r} {times}x in {shell[0]}, {locale}, {look}"
                folder = self.run(block, content, shell, locale, times)
                if shell[0] == "bash":
                    self.both_read_the_same(name, folder)
                yield name, read(content), folder

    def both_read_the_same(self, name: str, folder: Path):
        """The newest Compose finds in that `.env` what 1.29 does."""
        (folder / "docker-compose.yml").write_text("services: {}\n")
        done = subprocess.run([self.newest, "config", "--environment"], cwd=folder, capture_output=True, text=True,
                              timeout=20, env={"PATH": os.environ["PATH"], "HOME": str(self.work)})  # fmt: skip
        assert done.returncode == 0 and not done.stderr, (name, done.stderr)
        told = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        expected = read((folder / ".env").read_bytes())
        assert {key: told.get(key) for key in expected} == expected, (name, told, expected)


def same_but(before: dict, folder: Path, **changed):
    return read((folder / ".env").read_bytes()), {**before, **changed}


def checks(bench: Bench):
    for name, before, folder in bench.over_all("new key", KEY):
        key = read((folder / ".env").read_bytes())["API_KEY"]
        new, _, old = key.partition(",")
        assert HEX.fullmatch(new) and new != KEY and old == KEY, (name, key)
        after, expected = same_but(before, folder, API_KEY=key)
        assert after == expected, (name, after)

    for key in (f"{KEY},{OLD}", KEY):
        for name, before, folder in bench.over_all("old key", key):
            after, expected = same_but(before, folder, API_KEY=KEY)
            assert after == expected, (name, after)

    ids = dict(pair.split("=") for pair in IDS.split())
    for name, before, folder in bench.over_all("ids set", KEY):
        after, expected = same_but(before, folder, **ids)
        assert after == expected, (name, after)

    # What one paste has added, a second leaves alone.
    for block, setting, value in (
        ("another pc", "AGENTS", "ноутбук=[0-9a-f]{64}"),
        ("smart home on", "SMART_HOME_SECRET", "[0-9a-f]{64}"),
        ("devices file", "SMART_HOME_DEVICES", "/files/smart-home.json"),
    ):
        for name, before, folder in bench.over_all(block, KEY):
            added = read((folder / ".env").read_bytes()).get(setting, "")
            assert re.fullmatch(value, added), (name, added)
            after, expected = same_but(before, folder, **{setting: added})
            assert after == expected, (name, after)
        folder = bench.run(block, f"API_KEY={KEY}\nexport {setting} = mine\n".encode(), ("dash",), "C", 2)
        assert read((folder / ".env").read_bytes()) == {"API_KEY": KEY, setting: "mine"}, block

    for name, before, folder in bench.over_all("secret files", KEY):
        after, expected = same_but(before, folder, API_KEY="file", WEBHOOK_SECRET="file")
        assert after == expected, (name, after)
        assert (folder / "docker-compose.override.yml").read_text() == "services: {}\n"
        for secret, value in (("API_KEY", KEY), ("WEBHOOK_SECRET", SECRET)):
            file = folder / "files" / secret
            assert file.read_text() == f"{value}\n", (name, file.read_text())
            assert file.stat().st_mode & 0o777 == 0o600, name

    # A `.env` that is filled in stays as it is, to the byte; one that isn't is filled in, once.
    for name, before, folder in bench.over_all("option 3", KEY):
        after, expected = same_but(before, folder)
        assert after == expected, (name, after)
    example = (REPOSITORY / ".env.example").read_bytes()
    unfilled = (None, example, example.removesuffix(b"\n"))
    for (shell, locale), times, content in itertools.product(SHELLS, (1, 2), unfilled):
        folder = bench.run("option 3", content, shell, locale, times)
        made = read((folder / ".env").read_bytes())
        assert set(made) == {"WEBHOOK_SECRET", "API_KEY"} and made["API_KEY"] != made["WEBHOOK_SECRET"], made
        assert all(HEX.fullmatch(value) for value in made.values()), made
        assert (folder / ".env").stat().st_mode & 0o777 == 0o600
        assert not (folder / "home-alice-relay").exists(), "it was cloned into itself"

    # A file without the secrets loses nothing, and no secret is made empty.
    lonely = f"API_KEY={KEY}\nLOG_LEVEL=debug\n".encode()
    folder = bench.run("secret files", lonely, ("dash",), "C", 2)
    assert (folder / ".env").read_bytes() == lonely and not (folder / "files" / "WEBHOOK_SECRET").exists()
    assert not (folder / "docker-compose.override.yml").exists()
    # An override of the owner's own stays.
    own = bench.folder(PLAIN.encode())
    (own / "docker-compose.override.yml").write_text("mine\n")
    bench.paste("secret files", own, ("dash",), "C", 1)
    assert (own / "docker-compose.override.yml").read_text() == "mine\n"

    assert bench.pasted == PASTED, bench.pasted ^ PASTED


def main():
    bench = Bench(Path(sys.argv[1]), sys.argv[2])
    checks(bench)
    print(f"{len(files(KEY))} files, {bench.tried} runs of the deployment's blocks: .env holds what it should")


main()
