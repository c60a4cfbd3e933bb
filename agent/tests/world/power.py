"""Sleep, lock and shutdown, as far as the bus: a made-up logind says what it was asked."""

import datetime

from desktop import Desktop
from world import check, main, run


class Desk(Desktop):
    """A home whose system bus is its own."""

    def __enter__(self):
        super().__enter__()
        self.system = self.home / "dbus"
        self.system.mkdir()
        self.own()
        self.bus(self.system / "system_bus_socket")
        return self

    def command(self, *arguments):
        where = f'mkdir -p /run/dbus && mount --bind {self.system} /run/dbus && exec "$@"'
        return ["unshare", "-m", "sh", "-c", where, "sh", *super().command(*arguments)]

    def logind(self, *manners):
        return self.script("logind.py", *manners, log="logind")


def test_what_loses_no_work_happens_at_once():
    with Desk() as desk:
        desk.write("")
        logind = desk.logind()
        link = desk.start()
        check(link.ask("усыпи компьютер")["text"] == "Усыпляю компьютер.")
        logind.says("suspend False")
        check(link.ask("заблокируй комп")["text"] == "Блокирую.")
        logind.says("lock")
        answer = link.ask("отправь компьютер в гибернацию")
        check(not answer["ok"] and "hibernate" not in logind.text(), answer)


def test_a_shutdown_is_announced_and_can_be_taken_back():
    with Desk() as desk:
        desk.write('[[command]]\nsay = "долго"\nrun = ["sleep", "310"]\ntimeout = 600\n')
        logind = desk.logind()
        link = desk.start()
        for said, text, line in [
            ("выключи компьютер", "Выключу компьютер через 1 минуту. Чтобы остановить, скажите: отмена.", ("poweroff", 60)),
            ("перезагрузи компьютер", "Перезагружу компьютер через 1 минуту. Чтобы остановить, скажите: отмена.", ("reboot", 60)),
            ("выключи компьютер через полтора часа", "Выключу компьютер через 1 час 30 минут. Чтобы остановить, скажите: отмена.",
             ("poweroff", 5400)),
            ("через два с половиной часа выключи комп", "Выключу компьютер через 2 часа 30 минут. Чтобы остановить, скажите: отмена.",
             ("poweroff", 9000)),
        ]:
            place = len(logind.text())
            answer = link.ask(said)
            check(answer["ok"] and answer["text"] == text, said, answer)
            what, seconds = logind.text()[place:].split()[:2]
            check(what == line[0] and abs(int(seconds) - line[1]) <= 2, said, what, seconds)
        check(link.ask("отмена")["text"] == "Отменено.")
        check(link.ask("отмена")["text"] == "Отменять нечего.")
        # It waits for nothing.
        link.command("долго")
        link.command("выключи компьютер")
        first = link.command("отмена")
        check(link.answer()["id"] == first or link.answer()["id"] == first, "it has not waited its turn")


def test_a_time_of_the_day_is_told_as_it_was_meant():
    with Desk() as desk:
        desk.write("")
        logind = desk.logind()
        link = desk.start()
        soon = datetime.datetime.now() + datetime.timedelta(minutes=90)
        answer = link.ask(f"выключи компьютер в {soon.hour}:{soon.minute:02}")
        clock = f"в {soon.hour}:{soon.minute:02}."
        check(answer["ok"] and (clock in answer["text"] or 0 < soon.hour <= 12), answer, clock)
        seconds = int(logind.text().split()[-1])
        check(seconds > 60, seconds)
        if not 0 < soon.hour <= 12:
            check(abs(seconds - 5400) <= 61, seconds)


def test_the_end_of_the_session_is_announced_and_can_be_taken_back():
    with Desk() as desk:
        desk.write("")
        logind = desk.logind()
        link = desk.start()
        for said, time in [("выйди из системы", "1 минуту"), ("выйди из системы через час", "1 час")]:
            answer = link.ask(said)
            check(answer["text"] == f"Выйду из системы через {time}. Чтобы остановить, скажите: отмена.", answer)
        check(link.ask("отмена")["text"] == "Отменено." and link.ask("отмена")["text"] == "Отменять нечего.")
        # And when its minute has gone by.
        said = run(*desk.command("say", "--do", "выйди из системы"), env=desk.environment).stdout
        check("Сделано: Выйду" in said and logind.text().count("terminate") == 1, said, logind.text())


def test_what_the_system_refuses_or_lacks_is_said():
    with Desk() as desk:
        desk.write("")
        link = desk.start()
        answer = link.ask("усыпи компьютер")
        check(not answer["ok"] and "logind" in answer["text"], answer)
        logind = desk.logind("no")
        for said in ["усыпи компьютер", "выключи компьютер"]:
            answer = link.ask(said)
            check(not answer["ok"] and "не разрешает" in answer["text"], said, answer)
        check(logind.text() == "ready\n", logind.text())
        answer = link.ask("отмена")
        check(not answer["ok"] and "не удалось" in answer["text"], answer)


def test_near_misses_do_nothing():
    with Desk() as desk:
        desk.write("")
        logind = desk.logind()
        link = desk.start()
        for said in ["не выключай компьютер", "выключи свет", "закрой дверь", "напомни выключить компьютер", "выключи",
                     "громче всех кричал", "выключи компьютер в спальне", "выключи компьютер пете", "усыпи кота", "спать хочу",
                     "как выключить компьютер", "когда выключится компьютер", "не надо выключать компьютер", "выключи компьютер или нет",
                     "если что выключи компьютер", "заблокируй номер", "перезагрузи роутер", "выключи будильник через час"]:
            answer = link.ask(said)
            check(not answer["ok"] and "Не знаю" in answer["text"], said, answer)
        check(logind.text() == "ready\n", logind.text())


if __name__ == "__main__":
    main(globals())
