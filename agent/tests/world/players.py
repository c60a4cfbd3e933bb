"""Players on a bus of their own, whose state is read back from them."""

from desktop import Desktop
from world import check, main


class Desk(Desktop):
    """A home with a bus."""

    def __enter__(self):
        super().__enter__()
        self.bus(self.home / "bus")
        return self

    def player(self, *arguments):
        return self.script("player.py", *arguments, log=arguments[0])


def test_what_plays_is_paused_and_goes_on():
    with Desk() as desk:
        desk.write("")
        link = desk.start()
        music, film = desk.player("music", "Playing", "slow"), desk.player("film", "Paused")
        answer = link.ask("поставь на паузу")
        check(answer["ok"] and answer["text"] == "Пауза." and "Paused" in music.text(), answer, music.text())
        check(film.text() == "ready\n", "the other one is left alone")
        check(link.ask("пауза")["text"] == "Уже на паузе.")
        check(link.ask("продолжи")["text"] == "Играет.")
        check("Playing" in music.text() + film.text())
        check(link.ask("играй музыку")["text"] == "Уже играет.")


def test_another_track_is_told_by_its_name():
    with Desk() as desk:
        desk.write("")
        link = desk.start()
        desk.player("music", "Playing", "slow")
        for said, text, ok in [("следующий трек", "Играет Вторая.", True), ("дальше", "Играет Третья.", True),
                               ("следующая песня", "Трек остался тот же: возможно, он последний.", False),
                               ("предыдущая песня", "Играет Вторая.", True)]:
            answer = link.ask(said)
            check((answer["text"], answer["ok"]) == (text, ok), said, answer)


def test_what_does_not_obey_is_told():
    with Desk() as desk:
        desk.write("")
        link = desk.start()
        desk.player("music", "Playing", "stubborn")
        answer = link.ask("пауза")
        check(not answer["ok"] and "не останавливается" in answer["text"], answer)


def test_without_a_player_or_a_bus_it_says_so():
    with Desk() as desk:
        desk.write("")
        link = desk.start()
        for said in ["пауза", "следующий"]:
            answer = link.ask(said)
            check(not answer["ok"] and answer["text"] == "Ничего не играет.", answer)
        check("откройте плеер" in link.ask("продолжи")["text"])
        desk.running[0].stop()
        answer = link.ask("пауза")
        check(not answer["ok"] and "не видно" in answer["text"], answer)


if __name__ == "__main__":
    main(globals())
