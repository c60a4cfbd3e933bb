"""Kernels, sandboxes and old engines that lack a call which the relay makes: in containers whose seccomp profile takes
it away, the relay does without or says what is refused."""

import json
import time

from harness import MARK, RELAY, docker, log_of
from world import World

# The numbers that the kernel answers by.
EPERM, ENOSYS, EOPNOTSUPP = 1, 38, 95
CONTAINER = f"{MARK}-old"


def profile(world: World, call: str, errno: int, arguments=()) -> str:
    """A profile that refuses one call and allows all else."""
    rule = {"names": [call], "action": "SCMP_ACT_ERRNO", "errnoRet": errno, "args": list(arguments)}
    path = world.work / f"without-{call}.json"
    path.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}))
    return str(path)


def run_without(world: World, call: str, errno: int, arguments=()) -> tuple[bool, str]:
    """Starts the relay without this call. Whether it serves, and its log."""
    docker("run", "-d", "--name", CONTAINER, "--security-opt", f"seccomp={profile(world, call, errno, arguments)}",
           "-e", f"API_KEY={world.key}", RELAY)  # fmt: skip
    try:
        end = time.monotonic() + 20
        while time.monotonic() < end:
            log = log_of(CONTAINER)
            if docker("inspect", "--format", "{{.State.Running}}", CONTAINER) == "false":
                return False, log_of(CONTAINER)
            if "Relay started on" in log:
                docker("exec", CONTAINER, "/home-alice-relay", "healthcheck")
                return True, log_of(CONTAINER)
            time.sleep(0.05)
        raise AssertionError(f"without {call} it neither starts nor ends: {log_of(CONTAINER)}")
    finally:
        docker("rm", "-f", CONTAINER)


def calls_taken_away(world: World):
    serves, log = run_without(world, "getrandom", ENOSYS)
    assert serves, log

    # Sockets without a cookie (SOL_SOCKET, SO_COOKIE): their inodes tell them apart.
    cookie = [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 57, "op": "SCMP_CMP_EQ"}]
    serves, log = run_without(world, "getsockopt", EOPNOTSUPP, cookie)
    assert serves, log

    serves, log = run_without(world, "clone3", EPERM)
    assert not serves, log
    world.document.row_is_seen("cannot start a thread (clone3): …; Docker before 20.10.10 forbids it to programs "
                               "of a newer glibc: update Docker", log)  # fmt: skip

    serves, log = run_without(world, "eventfd2", EPERM)
    assert not serves and "cannot get a descriptor (eventfd)" in log, log

    # Without one that it never makes, it says nothing of the kind.
    serves, log = run_without(world, "acct", EPERM)
    assert serves and "refuses" not in log, log
