"""Smart Home, as the document switches it on: linked and commanded through https, by somebody who plays Yandex."""

import html
import json
import re
import time
import urllib.parse

from harness import DOMAIN, RELAY, Log, docker, log_of
from option3 import nothing_leaks
from world import World

REDIRECT = "https://social.yandex.net/broker/redirect"
# As Yandex was seen to send it: an address, which must come back as it is.
STATE = "https://social.yandex.ru/broker2/authz_in_web/0123456789abcdef0123456789abcdef/callback"
ASKED = {
    "scope": "home",
    "state": STATE,
    "redirect_uri": REDIRECT,
    "response_type": "code",
    "client_id": "home-alice",
}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def one_phrase(world: World, proxy):
    """From nothing to «громче» on the PC, then with devices of the owner's own. Everything is put back."""
    env = world.clone / ".env"
    devices = world.clone / "files" / "smart-home.json"
    before = env.read_text()
    try:
        world.do("smart home on", timeout=120)
        changed = env.read_text()
        secret = re.fullmatch(re.escape(before) + r"SMART_HOME_SECRET=([0-9a-f]{64})\n", changed)[1]
        # A second time it changes nothing.
        world.do("smart home on", timeout=120)
        assert env.read_text() == changed
        agent = world.agent(proxy)
        agent.expect("connected", 20)

        setup = printed_values(world)
        client_secret = setup["Секрет приложения"]
        assert secret not in docker("exec", RELAY, "/home-alice-relay", "setup", "--domain", DOMAIN)
        code, pairing = linked(world, proxy)
        tokens = exchange(proxy, code, client_secret)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}", "X-Request-Id": "r1"}
        secrets = [secret, client_secret, pairing, pairing.replace("-", ""), code, tokens["access_token"],
                   tokens["refresh_token"]]  # fmt: skip

        status, _, body = proxy.request("HEAD", "/smart-home/v1.0")
        assert (status, body) == (200, ""), (status, body)
        assert device_of(proxy, bearer)["name"] == "Компьютер"
        assert act(proxy, bearer, "range", "volume", 1, relative=True) == "DONE"
        assert agent.wait(lambda one: one.get("text") == "громче", 5), agent.seen
        assert act(proxy, bearer, "on_off", "on", False) == "DONE"
        assert agent.wait(lambda one: one.get("text") == "спящий режим", 5), agent.seen
        nothing_of(secrets, world, proxy)

        seen = len(agent.seen)
        world.do("devices file", timeout=120)
        changed = env.read_text()
        world.do("devices file", timeout=120)
        assert env.read_text() == changed
        agent.expect("connected", 20, seen)
        # The built-in device written out is the same device.
        assert device_of(proxy, bearer)["name"] == "Компьютер"
        its_own(world, proxy, agent, devices, bearer)
        nothing_of(secrets, world, proxy)
        agent.end()
    finally:
        env.write_text(before)
        devices.unlink(missing_ok=True)
        world.up()
    status, _, _ = proxy.request("GET", "/smart-home/v1.0")
    assert status == 404, "it is still on"
    world.report.figure("Smart Home through https", "linked, the original agent's loop answered actions")


def printed_values(world: World) -> dict[str, str]:
    """What `setup` prints for each field of the console, held against the document's own table."""
    printed = world.do("setup").stdout
    values = dict(re.findall(r"^ +(\S[^:\n]*(?:URL)?): +(\S.*)$", printed, re.M))
    table = world.document.text.split("## Smart Home: one phrase", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^ *\| (?:Настройки|Связка аккаунтов) \| (.+?) \| (.+?) \|$", table, re.M)
    assert len(rows) == 10, rows
    for field, value in rows:
        if value == "yours":
            continue
        quoted = re.match("`(.+?)`", value)
        if field == "Секрет приложения":
            assert re.fullmatch(r"[\w-]{20,}", values[field]), printed
        elif quoted:
            assert values[field] == quoted[1], (field, printed)
        else:
            assert values[field].strip("()") == value, (field, printed)
    # The other places get what .env holds.
    assert values["Webhook URL"] == f"https://{DOMAIN}/alice/webhook/{world.setting('WEBHOOK_SECRET')}", printed
    assert values["api_key"] == world.key and values["server_url"] == f"wss://{DOMAIN}/ws", printed
    return values


def linked(world: World, proxy) -> tuple[str, str]:
    """The code that Yandex gets, and the pairing code that it was made for."""
    query = urllib.parse.urlencode(ASKED)
    status, fields, page = proxy.request("GET", f"/smart-home/authorize?{query}")
    assert status == 200 and "Вводите код, только если вы сами начали привязку" in page, (status, page)
    assert "; form-action 'self'; " in fields["Content-Security-Policy"], fields
    pairing = world.do("pair").stdout.split("\n")[0]
    assert re.fullmatch("[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", pairing), pairing

    def type_in(code):
        body = urllib.parse.urlencode({**ASKED, "pairing_code": code})
        return proxy.request("POST", "/smart-home/authorize", body, headers=FORM)

    status, _, page = type_in("0000-0000-0000")
    assert status == 200, (status, page)
    world.document.row_is_seen("Код неверный, уже использован или устарел: …", page)
    status, fields, page = type_in(pairing.lower())
    assert status == 200 and "Location" not in fields, (status, fields)
    location = urllib.parse.urlsplit(html.unescape(re.search(r'content="0; url=([^"]+)"', page)[1]))
    parameters = dict(urllib.parse.parse_qsl(location.query))
    assert location._replace(query="").geturl() == REDIRECT, page
    assert parameters["state"] == STATE, parameters
    return parameters["code"], pairing


def exchange(proxy, code: str, client_secret: str) -> dict:
    client = {"client_id": "home-alice", "client_secret": client_secret}
    first = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT, **client}
    status, _, body = proxy.request("POST", "/smart-home/token", urllib.parse.urlencode(first), headers=FORM)
    assert status == 200, (status, body)
    tokens = json.loads(body)
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], **client}
    status, _, body = proxy.request("POST", "/smart-home/token", urllib.parse.urlencode(again), headers=FORM)
    assert status == 200, (status, body)
    return json.loads(body)


def device_of(proxy, bearer) -> dict:
    """The one device that Yandex is told of."""
    status, _, body = proxy.request("GET", "/smart-home/v1.0/user/devices", headers=bearer)
    assert status == 200, (status, body)
    [device] = json.loads(body)["payload"]["devices"]
    return device


def act(proxy, bearer, kind: str, instance: str, value, **more) -> str:
    """What comes of one action: DONE, or the error's code."""
    capability = {"type": f"devices.capabilities.{kind}", "state": {"instance": instance, "value": value, **more}}
    asked = {"payload": {"devices": [{"id": "pc", "capabilities": [capability]}]}}
    headers = {**bearer, "Content-Type": "application/json"}
    status, _, body = proxy.request("POST", "/smart-home/v1.0/user/devices/action", json.dumps(asked), headers=headers)
    assert status == 200, (status, body)
    answer = json.loads(body)
    assert answer["request_id"] == "r1", answer
    [capability] = answer["payload"]["devices"][0]["capabilities"]
    result = capability["state"]["action_result"]
    return result.get("error_code", result["status"])


def its_own(world: World, proxy, agent, devices, bearer):
    """A changed devices file: another command for «off», a phrase of the owner's own; and one that can't be used."""
    written = json.loads(devices.read_text())
    [device] = written
    device["off"] = "выключи компьютер"
    device["sources"] = ["открой почту"]
    devices.write_text(json.dumps(written, ensure_ascii=False))
    seen = len(agent.seen)
    docker("restart", RELAY)
    agent.expect("connected", 20, seen)
    assert act(proxy, bearer, "on_off", "on", False) == "DONE"
    assert agent.wait(lambda one: one.get("text") == "выключи компьютер", 5, seen), agent.seen[seen:]
    assert act(proxy, bearer, "mode", "input_source", "one") == "DONE"
    assert agent.wait(lambda one: one.get("text") == "открой почту", 5, seen), agent.seen[seen:]

    device["type"] = "computer"
    devices.write_text(json.dumps(written, ensure_ascii=False))
    begun = time.time()
    docker("restart", RELAY)
    log = Log(RELAY, begun)
    line = log.expect("smart-home.json", 20)["line"]
    log.end()
    assert "pc" in line and "type" in line, line
    world.document.row_is_seen("SMART_HOME_DEVICES names …, device … has …", line)
    world.report.figure("a devices file that can't be used", line)


def nothing_of(secrets, world: World, proxy):
    """No secret, code or token is in the proxy's log, nor in the relay's."""
    nothing_leaks(world, proxy)
    for log in (log_of(proxy.name), log_of(RELAY)):
        found = [number for number, secret in enumerate(secrets) if secret in log]
        assert not found, f"secrets number {found} are in a log"
