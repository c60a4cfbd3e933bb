"""What Yandex does: turns of Dialogs, and Smart Home once it is linked. Run as a script it speaks HTTP for the class, in the
network where the server is."""

import base64
import hashlib
import hmac
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

BROKER = "https://social.yandex.net/broker/redirect"


class Yandex:
    def __init__(self, world, base, secret, space=None):
        """Speaks to `base`, whose certificate is of the world's CA, out of a network; `secret` is Smart Home's."""
        self.world, self.secret, self.fields = world, secret, {}
        command = ["ip", "netns", "exec", space or world.space, sys.executable, __file__, base, str(world.dir / "ca.pem")]
        self.popen = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        self.popen.wait(20)

    def call(self, path, data=None, fields=None):
        print(json.dumps([path, data, fields or {}]), file=self.popen.stdin, flush=True)
        return json.loads(self.popen.stdout.readline())

    def turn(self, words, path, new=False):
        """Says something to the skill at this webhook. Returns the response."""
        body = {"version": "1.0", "meta": {"interfaces": {"screen": {}}},
                "session": {"new": new, "session_id": "s-1", "user": {"user_id": "me"}},
                "request": {"type": "SimpleUtterance", "command": words, "nlu": {"tokens": words.split()}}}
        return json.loads(self.call(path, json.dumps(body), {"Content-Type": "application/json"})[0])["response"]

    def link(self, code):
        """Links the account, with a pairing code."""
        query = {"state": "s", "redirect_uri": BROKER, "response_type": "code", "client_id": "home-alice", "scope": "x"}
        page = self.call("/smart-home/authorize", urllib.parse.urlencode({**query, "pairing_code": code}))
        found = re.search(r"code=([^&\"']+)", "".join(page))
        client = hmac.new(self.secret.encode(), b"home-alice-relay client secret", hashlib.sha256).digest()
        client = base64.urlsafe_b64encode(client).decode().rstrip("=")
        form = urllib.parse.urlencode({"grant_type": "authorization_code", "code": found[1], "client_id": "home-alice",
                                       "client_secret": client, "redirect_uri": BROKER})
        token = json.loads(self.call("/smart-home/token", form)[0])["access_token"]
        self.fields = {"Authorization": f"Bearer {token}", "X-Request-Id": "1", "Content-Type": "application/json"}

    def devices(self):
        return json.loads(self.call("/smart-home/v1.0/user/devices", None, self.fields)[0])["payload"]["devices"]

    def act(self, device, capability, instance, value, relative=False):
        """Returns the status of an action."""
        state = {"instance": instance, "value": value, **({"relative": True} if relative else {})}
        body = {"payload": {"devices": [{"id": device, "capabilities": [
            {"type": f"devices.capabilities.{capability}", "state": state}]}]}}
        answer = json.loads(self.call("/smart-home/v1.0/user/devices/action", json.dumps(body), self.fields)[0])
        return answer["payload"]["devices"][0]["capabilities"][0]["state"]["action_result"]["status"]


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def serve(base, ca):
    import ssl
    opener = urllib.request.build_opener(Stay, urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca)))
    for line in sys.stdin:
        path, data, fields = json.loads(line)
        request = urllib.request.Request(base + path, data=data and data.encode(), headers=fields)
        try:
            answer = opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            answer = error
        print(json.dumps([answer.read().decode(), str(answer.headers)]), flush=True)


if __name__ == "__main__":
    serve(*sys.argv[1:])
