"""The page that links Smart Home, in a real browser: opened as Yandex opens it, the code typed, and back to Yandex.

    linking.py RELAY FOLDER [--pictures]

A local TLS server stands in for Yandex. With --pictures, docs/linking.png is written.
"""

import base64
import json
import os
import subprocess
import sys
import unittest
import urllib.error
import urllib.parse
import urllib.request

from browser import Browser, StandIn
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

RELAY, WORK = sys.argv[1:3]
PICTURE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs", "linking.png")
REDIRECT = "https://social.yandex.net/broker/redirect"
FURTHER = "https://social.yandex.ru/broker2/authz_in_web/0123456789abcdef0123456789abcdef/callback"
# Where Yandex' own redirects may end: hosts of its that no list of ours could hold, and its apps.
LAST_HOPS = ["https://yandex.ru/quasar/account-linking?ok=1", "https://ya.ru/", "https://quasar.yandex.ru/",
             "https://passport.yandex.com/", "https://yandex.kz/", "yandexiot://x", "intent://x#Intent;end"]
# What a sloppy encoding would change.
STATE = f"{FURTHER}?a=b&c=d+e%20f#g\"><b>я"
ASKED = {"scope": "home", "state": STATE, "redirect_uri": REDIRECT, "response_type": "code", "client_id": "home-alice"}
SETTINGS = {"API_KEY": "agent-key_0123456789abcdef", "SMART_HOME_SECRET": "smart-home-secret_9f02ce71"}
WARNING = "Вводите код, только если вы сами начали привязку в приложении «Дом с Алисой»."
WRONG = "Код неверный, уже использован или устарел"


class Yandex:
    """Takes the code at one host and leads on to another, and to `last` if that is set, as Yandex does."""

    last = None

    def __call__(self, host, path):
        if host == "social.yandex.net" and path.startswith("/broker/redirect?"):
            return 302, {"Location": FURTHER}, ""
        address = f"https://{host}{path}"
        if address == FURTHER and self.last:
            return 302, {"Location": self.last}, ""
        if address in (FURTHER, self.last):
            return 200, {}, "<!doctype html><link rel=icon href='data:,'><title>Яндекс</title>" \
                "<p>Привязано</p><script>document.body.append('со сценарием')</script>"
        return 404, {}, ""


class Linking(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The port comes back in the log.
        cls.log = open(os.path.join(WORK, "relay.log"), "w+")
        cls.relay = subprocess.Popen([RELAY], env={**SETTINGS, "LISTEN_ADDR": "127.0.0.1:0"},
                                     stdout=subprocess.PIPE, stderr=cls.log, text=True)
        cls.port = next(line for line in cls.relay.stdout if "Relay started on" in line).rsplit(":", 1)[1].strip()
        cls.base = f"http://127.0.0.1:{cls.port}/smart-home"
        cls.yandex = Yandex()
        further = [urllib.parse.urlsplit(hop).hostname for hop in LAST_HOPS if hop.startswith("https:")]
        cls.stand_in = StandIn(WORK, ["social.yandex.net", "social.yandex.ru", *further], cls.yandex)

    @classmethod
    def tearDownClass(cls):
        cls.stand_in.close()
        cls.relay.terminate()
        cls.relay.communicate(timeout=20)
        cls.log.close()

    def setUp(self):
        self.stand_in.seen.clear()
        self.yandex.last = None

    def command(self, *words):
        settings = {**SETTINGS, "LISTEN_ADDR": f"127.0.0.1:{self.port}"}
        return subprocess.run([RELAY, *words], env=settings, check=True, capture_output=True, text=True).stdout

    def open(self, browser, **changes):
        browser.driver.get(f"{self.base}/authorize?{urllib.parse.urlencode({**ASKED, **changes})}")

    def text(self, browser):
        return browser.driver.find_element(By.TAG_NAME, "body").text

    def until(self, true):
        WebDriverWait(None, 20, poll_frequency=0.05).until(lambda _: true())

    def press(self, browser, code):
        """With the keyboard alone: the field has the focus, and Enter submits."""
        ActionChains(browser.driver).send_keys(code, Keys.ENTER).perform()

    def type_in(self, browser, code):
        page = browser.driver.find_element(By.TAG_NAME, "html")
        self.press(browser, code)
        # The old page is gone.
        WebDriverWait(browser.driver, 20).until(lambda driver: driver.find_element(By.TAG_NAME, "html") != page)

    def links(self, browser):
        """The right code leads to Yandex and further on; Yandex' code is good for tokens."""
        self.type_in(browser, self.command("pair").split("\n")[0].lower())
        WebDriverWait(browser.driver, 20).until(lambda driver: driver.current_url == FURTHER)
        self.assertIn("Привязано", self.text(browser))
        self.assertEqual([host for host, _, _ in self.stand_in.seen], ["social.yandex.net", "social.yandex.ru"])
        _, path, referer = self.stand_in.seen[0]
        # The page's own address holds the state.
        self.assertIsNone(referer)
        address, query = path.split("?", 1)
        self.assertEqual(f"https://social.yandex.net{address}", REDIRECT)
        parameters = dict(urllib.parse.parse_qsl(query, strict_parsing=True))
        self.assertEqual((set(parameters), parameters["state"]), ({"code", "state"}, STATE))
        self.exchange(parameters["code"])

    def exchange(self, code):
        secret = next(line for line in self.command("setup", "--domain", "your-domain.com").splitlines()
                      if "Секрет приложения:" in line).split()[-1]
        body = urllib.parse.urlencode({
            "grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT,
            "client_id": "home-alice", "client_secret": secret}).encode()
        with urllib.request.urlopen(f"{self.base}/token", body, timeout=20) as answer:
            access = json.load(answer)["access_token"]
        request = urllib.request.Request(f"{self.base}/v1.0/user/devices",
                                         headers={"Authorization": f"Bearer {access}"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            self.assertEqual(json.load(answer)["payload"]["devices"][0]["id"], "pc")

    def nothing_strange(self, browser):
        """Nothing in the console, and nothing asked for anywhere else."""
        self.assertEqual(browser.complaints(), [])
        ours = (f"http://127.0.0.1:{self.port}/", f"{REDIRECT}?", FURTHER, "data:")
        self.assertEqual([url for url in browser.requested() if not url.startswith(ours)], [])

    def test_it_says_who_asks_for_what_and_warns(self):
        with Browser(self.stand_in) as browser:
            self.open(browser)
            text = self.text(browser)
            for part in ("Привязать компьютер к Яндексу?", "Дом с Алисой", WARNING, "home-alice-relay pair"):
                self.assertIn(part, text)
            self.assertNotIn(WRONG, text)
            self.assertEqual(browser.driver.switch_to.active_element.get_attribute("name"), "pairing_code")
            self.assertEqual(browser.driver.get_cookies(), [])
            self.nothing_strange(browser)

    def test_a_wrong_code_is_told_and_the_right_one_then_lands_at_yandex(self):
        with Browser(self.stand_in) as browser:
            self.open(browser)
            self.type_in(browser, "0000-0000-0000")
            self.assertIn(WRONG, self.text(browser))
            self.assertEqual(self.stand_in.seen, [])
            self.links(browser)
            self.assertIn("со сценарием", self.text(browser))
            self.nothing_strange(browser)

    def test_it_works_without_scripts(self):
        with Browser(self.stand_in, scripts=False) as browser:
            self.open(browser)
            self.links(browser)
            self.assertNotIn("со сценарием", self.text(browser), "scripts are off")

    def test_wherever_yandexs_own_redirects_end_the_browser_goes_there(self):
        for last in LAST_HOPS:
            with self.subTest(last=last), Browser(self.stand_in) as browser:
                self.yandex.last = last
                self.stand_in.seen.clear()
                self.open(browser)
                self.press(browser, self.command("pair").split("\n")[0])
                said, gone = [], []
                # Going to an app is a request that the browser begins, though no app of Yandex' is here.
                address = last.split("#")[0]
                self.until(lambda: said.extend(browser.complaints()) or gone.extend(browser.requested())
                           or said or address in gone)  # fmt: skip
                self.assertEqual(said, [])
                if last.startswith("https:"):
                    self.until(lambda: browser.driver.current_url == last)
                    self.assertIn("Привязано", self.text(browser))
                else:
                    # Whoever comes back finds a link, in case that the app wants a finger.
                    self.assertIn("Вернуться в Яндекс", self.text(browser))
                    self.assertEqual((browser.sticking_out(), browser.faint()), ([], []))
                self.assertEqual([host for host, _, _ in self.stand_in.seen][:2], ["social.yandex.net", "social.yandex.ru"])

    def test_a_second_press_on_a_slow_line_loses_nothing(self):
        for scripts in (True, False):
            with self.subTest(scripts=scripts), Browser(self.stand_in, scripts=scripts) as browser:
                self.open(browser)
                browser.requested()
                browser.slow(0.6)
                code = self.command("pair").split("\n")[0]
                ActionChains(browser.driver).send_keys(code, Keys.ENTER).pause(0.15).send_keys(Keys.ENTER).perform()
                self.until(lambda: browser.driver.current_url == FURTHER)
                posts = browser.requested().count(f"{self.base}/authorize")
                self.assertEqual(posts, 1 if scripts else 2)
                _, path, _ = self.stand_in.seen[0]
                self.exchange(urllib.parse.parse_qs(path.split("?", 1)[1])["code"][0])
                self.stand_in.seen.clear()

    def test_a_request_that_is_not_yandexs_stays_here_and_names_the_field_to_mend(self):
        with Browser(self.stand_in, width=360, height=740) as browser:
            for changes, told in (({"client_id": "relay"}, "Идентификатор приложения"),
                                  ({"redirect_uri": "https://evil.example/"}, "URL авторизации"),
                                  ({"state": ""}, "state")):  # fmt: skip
                self.open(browser, **changes)
                self.assertIn(told, self.text(browser))
                self.assertEqual((browser.sticking_out(), browser.faint()), ([], []))
            self.assertEqual(self.stand_in.seen, [])

    def test_narrow_or_wide_light_or_dark_it_fits_and_can_be_read(self):
        backgrounds = set()
        for scheme in ("light", "dark"):
            for width, height in ((360, 740), (320, 568), (1280, 900)):
                with self.subTest(scheme=scheme, width=width), \
                        Browser(self.stand_in, width, height, scheme) as browser:  # fmt: skip
                    self.open(browser)
                    self.assertEqual(browser.driver.execute_script("return innerWidth"), width)
                    self.assertEqual((browser.sticking_out(), browser.faint()), ([], []))
                    backgrounds.add((scheme, browser.driver.execute_script(
                        "return getComputedStyle(document.body).backgroundColor")))
                    if "--pictures" in sys.argv and (scheme, width) == ("light", 360):
                        self.picture(browser)
                    self.type_in(browser, "0000-0000-0000")
                    self.assertIn(WRONG, self.text(browser))
                    self.assertEqual((browser.sticking_out(), browser.faint()), ([], []))
                    self.nothing_strange(browser)
        self.assertEqual(len({color for _, color in backgrounds}), 2, "dark is another colour")

    def picture(self, browser):
        shown = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
        with open(PICTURE, "wb") as file:
            file.write(base64.b64decode(shown["data"]))


if __name__ == "__main__":
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Linking)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    failed = len({str(getattr(case, "test_case", case)) for case, _ in result.failures + result.errors})
    print(f"{result.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
