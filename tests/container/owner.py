"""The owner's page behind the proxy: the block that prints a code, logging in, and what a browser sees at other places."""

import json
import re
import urllib.parse

from harness import RELAY, docker, log_of
from world import World

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HTML = {"Accept": "text/html"}


def page(world: World, proxy):
    code = world.do("login").stdout.splitlines()[0]
    assert re.fullmatch("([0-9A-Z]{4}-){2}[0-9A-Z]{4}", code), code
    for path, says in (("/", "Home Alice Relay работает"), (proxy.webhook(), "Адрес верный")):
        status, _, body = proxy.request("GET", path, headers=HTML)
        assert status == 200 and says in body, (path, status, body)
    status, _, body = proxy.request("GET", "/owner", headers=HTML)
    assert status == 200 and "Код входа" in body, (status, body)

    entered = urllib.parse.urlencode({"code": code})
    status, fields, _ = proxy.request("POST", "/owner/enter", entered, headers=FORM)
    assert (status, fields["Location"]) == (303, "/owner?entered"), (status, fields)
    kept = fields["Set-Cookie"]
    assert kept.startswith("__Host-relay-owner=") and "; Secure" in kept and "HttpOnly" in kept, kept
    cookie = {"Cookie": kept.split(";")[0]}
    status, _, body = proxy.request("GET", "/owner", headers=cookie)
    assert status == 200 and "Путь команды" in body, (status, body)
    token = re.search('name="token" value="([^"]+)"', body)[1]

    agent = world.agent(proxy)
    agent.expect("connected", 20)
    said = json.dumps({"token": token, "text": "Громче!"})
    status, fields, body = proxy.request("POST", "/owner/say", said, headers=cookie)
    assert (status, fields["Relay-Outcome"]) == (200, "answered"), (status, body)
    assert json.loads(body)["response"]["text"] == "Сделано: громче", body
    status, _, body = proxy.request("GET", "/owner/state", headers=cookie)
    lights = {part["part"]: part["light"] for part in json.loads(body)["parts"]}
    assert (lights["proxy"], lights["pc"]) == ("green", "green"), body
    agent.end()

    monitor = docker("exec", RELAY, "/home-alice-relay", "login", "--monitor").splitlines()[0]
    status, _, body = proxy.request("GET", "/owner/state", headers={"Authorization": f"Bearer {monitor}"})
    assert status == 200 and "open" not in json.loads(body), (status, body)
    log = log_of(RELAY)
    for secret in (code, kept.split("=", 1)[1].split(";")[0], token, monitor):
        assert secret not in log, log
