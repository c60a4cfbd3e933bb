"""Volume and mute on a real PulseAudio with a null sink, read back by its own tool."""

import re

from desktop import AS_USER, Desktop
from world import check, main, run, until


class Desk(Desktop):
    """A home with a sound server."""

    def __enter__(self):
        super().__enter__()
        runtime = self.home / "run"
        runtime.mkdir()
        runtime.chmod(0o700)
        self.own()
        self.environment |= {"XDG_RUNTIME_DIR": str(runtime)}
        return self

    def serve(self, *modules):
        modules = modules or ("module-null-sink sink_name=out channels=2",)
        load = [f"--load={module}" for module in ("module-native-protocol-unix", *modules)]
        server = self.service("pulse", "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", *load)
        sinks = sum("sink_name" in module for module in modules)
        until(lambda: self.pactl("list", "short", "sinks", expect=None).count("\n") == sinks
              and (self.home / "run/pulse/native").exists(), 20, server.text)

    def pactl(self, *arguments, expect=0):
        return run(*AS_USER, "pactl", *arguments, expect=expect, env=self.environment | {"LC_ALL": "C"}).stdout

    def volumes(self):
        return [int(percent) for percent in re.findall(r"(\d+)%", self.pactl("get-sink-volume", "@DEFAULT_SINK@"))]

    def is_muted(self):
        return "yes" in self.pactl("get-sink-mute", "@DEFAULT_SINK@")


def test_the_volume_is_what_was_said():
    with Desk() as desk:
        desk.serve()
        desk.write("")
        link = desk.start()
        for said, text, percent in [
            ("громкость 30", "Громкость 30.", 30), ("громче", "Громкость 40.", 40), ("чуть тише", "Громкость 35.", 35),
            ("сильно громче", "Громкость 60.", 60), ("сделай громче на двадцать пять", "Громкость 85.", 85),
            ("сильно громче", "Громкость 100.", 100), ("громче", "Громкость уже 100.", 100),
            ("звук на минимум", "Громкость 0.", 0), ("поставь громкость наполовину", "Громкость 50.", 50),
            ("громкость 7%", "Громкость 7.", 7), ("тише", "Громкость 0.", 0),
        ]:
            answer = link.ask(said)
            check(answer["ok"] and answer["text"] == text, said, answer)
            check(desk.volumes() == [percent, percent], said, desk.volumes())
        answer = link.ask("громкость 150")
        check(not answer["ok"] and "от 0 до 100" in answer["text"] and desk.volumes() == [0, 0], answer)


def test_an_action_of_smart_home_goes_past_the_words():
    with Desk() as desk:
        desk.serve()
        desk.write("")
        link = desk.start()
        link.ask("громкость 40")

        def act(text, instance, value, relative=False, capability="range"):
            return link.ask(text, action={"device": "pc", "capability": f"devices.capabilities.{capability}", "instance": instance,
                                          "value": value, "relative": relative})
        check(act("громче на 3", "volume", 3, True)["ok"] and desk.volumes() == [43, 43], desk.volumes())
        check(act("что-то своё", "volume", 70)["ok"] and desk.volumes() == [70, 70], desk.volumes())
        check(act("выключи звук", "mute", True, capability="toggle")["ok"] and desk.is_muted())
        check(not act("что-то своё", "input_source", "one", capability="mode")["ok"])


def test_mute_is_told_and_a_volume_behind_it_says_so():
    with Desk() as desk:
        desk.serve()
        desk.write("")
        link = desk.start()
        link.ask("громкость 40")
        check(link.ask("выключи звук")["text"] == "Звук выключен." and desk.is_muted())
        check(link.ask("без звука")["text"] == "Звук уже выключен." and desk.is_muted())
        check(link.ask("громче")["text"] == "Громкость 50, но звук выключен." and desk.is_muted())
        check(link.ask("верни звук")["text"] == "Звук включён." and not desk.is_muted())


def test_the_output_that_is_the_default_now_is_changed():
    with Desk() as desk:
        desk.serve("module-null-sink sink_name=out channels=2", "module-null-sink sink_name=phones channels=1")
        desk.write("")
        link = desk.start()
        desk.pactl("set-default-sink", "out")
        link.ask("громкость 20")
        desk.pactl("set-default-sink", "phones")
        check(link.ask("громкость 80")["ok"] and desk.volumes() == [80], desk.volumes())
        desk.pactl("set-default-sink", "out")
        check(desk.volumes() == [20, 20], desk.volumes())


def test_a_pc_without_sound_says_so():
    with Desk() as desk:
        desk.write("")
        link = desk.start()
        answer = link.ask("громче")
        check(not answer["ok"] and "не запущен" in answer["text"], answer)
        desk.serve("module-always-source")
        answer = link.ask("громче")
        check(not answer["ok"] and "колонки" in answer["text"], answer)


if __name__ == "__main__":
    main(globals())
