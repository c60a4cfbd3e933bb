//! Late answers: kept for whoever asked, told on the next turn, and to nobody else. The agent's times are
//! a tenth of life's, and so is the deadline: 400 ms for 4 s.

use std::time::Duration;

use crate::support;
use crate::support::{Agent, Http, Relay, said, turn};
use serde_json::{Value, json};

const SETTINGS: [(&str, &str); 1] = [("REPLY_TIMEOUT_MS", "400")];
const AT_WORK: &str = "Компьютер ещё выполняет команду. Спросите: «готово?»";
const NO_NEWS: &str = "Новых ответов нет.";
/// Every way to ask for them.
const ASKING: [&str; 8] =
    ["готово", "готова", "готово ли", "что там", "ну что", "ну что там", "ответ", "что с ответом"];

/// A turn of this account (none: not logged in) on this device.
fn turn_of(account: Option<&str>, device: &str, command: &str) -> Value {
    let mut turn = turn(command);
    turn["session"]["application"]["application_id"] = json!(device);
    match account {
        Some(account) => turn["session"]["user"]["user_id"] = json!(account),
        None => drop(turn["session"].as_object_mut().unwrap().remove("user")),
    }
    turn
}

/// Says `command` and does not wait for more than its reply.
fn say_of(relay: &Relay, account: Option<&str>, device: &str, command: &str) -> String {
    said(&relay.turn(&turn_of(account, device, command)))
}

/// Misses a command's turn; its id.
fn miss(relay: &Relay, agent: &mut Agent, account: &str, command: &str) -> String {
    let mut http = relay.http();
    http.send_post(&turn_of(Some(account), "speaker", command).to_string());
    let (id, text) = agent.command();
    assert_eq!(text, command);
    assert_eq!(said(&http.response().json()), AT_WORK);
    id
}

/// Answers late, and waits until the relay has it.
fn answer_late(relay: &Relay, agent: &mut Agent, id: &str, text: &str) {
    agent.answer(id, text);
    relay.line(&format!("Command {id}: answered late"));
}

/// Misses so many turns and answers each late. Waits until the relay, which logs at debug, has all of them.
fn answer_many_late(relay: &Relay, agent: &mut Agent, count: usize) {
    for number in 0..count {
        let id = miss(relay, agent, "я", "команда");
        agent.answer(&id, &format!("ответ {number}"));
    }
    // What is answered behind them is met behind them.
    agent.answer("nobody's", "");
    relay.line("no command waits for");
}

#[test]
fn an_answer_in_time_is_heard_at_once_and_a_late_one_on_the_next_turn() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    // Each at its own time: 1, 3, 6 and 30 s of life.
    let people: Vec<(&str, u64)> = vec![("а", 100), ("б", 300), ("в", 600), ("г", 3000)];
    let mut clients: Vec<Http> = people
        .iter()
        .map(|(person, _)| {
            let mut http = relay.http();
            http.send_post(&turn_of(Some(person), "speaker", &format!("команда {person}")).to_string());
            http
        })
        .collect();
    let mut ids: Vec<_> = people.iter().map(|_| agent.command()).collect();
    ids.sort_by(|a, b| a.1.cmp(&b.1));
    let begun = std::time::Instant::now();
    let (done, is_done) = crossbeam_channel::bounded(4);
    let answering = {
        let times: Vec<_> = people.iter().map(|(_, time)| Duration::from_millis(*time)).collect();
        std::thread::spawn(move || {
            for ((id, text), time) in ids.into_iter().zip(times) {
                // This is the agent at work.
                std::thread::sleep(time.saturating_sub(begun.elapsed()));
                agent.answer(&id, &format!("ответ на {text}"));
                done.send(()).unwrap();
            }
            agent
        })
    };
    let replies: Vec<_> = clients.iter_mut().map(|client| client.response().json()).collect();
    assert_eq!(said(&replies[0]), "ответ на команда а");
    assert_eq!(said(&replies[1]), "ответ на команда б");
    for late in &replies[2..] {
        assert_eq!(said(late), AT_WORK);
        assert_eq!(late["response"]["buttons"], json!([{ "title": "Готово?", "hide": true }]));
        assert_eq!(late["response"]["end_session"], false);
    }
    let working = say_of(&relay, Some("г"), "speaker", "готово");
    assert!(working.starts_with("Команда выполняется уже "), "{working}");
    (0..4).for_each(|_| is_done.recv().unwrap());
    relay.line("answered late");
    relay.line("answered late");
    assert_eq!(say_of(&relay, Some("в"), "speaker", "что там"), "ответ на команда в");
    assert_eq!(say_of(&relay, Some("г"), "speaker", "ну что"), "ответ на команда г");
    assert_eq!(say_of(&relay, Some("г"), "speaker", "ответ"), NO_NEWS);
    drop(answering.join().unwrap());
}

#[test]
fn nobody_hears_anothers_answer_and_an_account_hears_its_own_on_every_device() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    let mine = miss(&relay, &mut agent, "я", "моя команда");
    let yours = miss(&relay, &mut agent, "ты", "твоя команда");
    let mut http = relay.http();
    http.send_post(&turn_of(None, "колонка", "ничья команда").to_string());
    let (nobodys, _) = agent.command();
    assert_eq!(said(&http.response().json()), AT_WORK);
    answer_late(&relay, &mut agent, &yours, "твой ответ");
    answer_late(&relay, &mut agent, &nobodys, "ответ колонке");
    answer_late(&relay, &mut agent, &mine, "мой ответ");
    assert_eq!(say_of(&relay, Some("он"), "speaker", "готово"), NO_NEWS);
    assert_eq!(say_of(&relay, None, "другая колонка", "готово"), NO_NEWS);
    assert_eq!(say_of(&relay, None, "колонка", "готово"), "ответ колонке");
    assert_eq!(say_of(&relay, Some("я"), "телефон", "готово"), "мой ответ");
    assert_eq!(say_of(&relay, Some("я"), "speaker", "готово"), NO_NEWS);
    assert_eq!(say_of(&relay, Some("ты"), "speaker", "готово"), "твой ответ");
}

#[test]
fn a_new_session_is_greeted_with_a_kept_answer_and_the_probe_touches_nothing() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    let id = miss(&relay, &mut agent, "я", "команда");
    answer_late(&relay, &mut agent, &id, "готовый ответ");
    let mut probe = turn_of(Some("я"), "speaker", "");
    probe["request"]["original_utterance"] = json!("ping");
    assert_eq!(said(&relay.turn(&probe)), "pong");
    let mut greeting = turn_of(Some("я"), "speaker", "");
    greeting["session"]["new"] = json!(true);
    assert_eq!(said(&relay.turn(&greeting)), "готовый ответ");
    assert!(said(&relay.turn(&greeting)).contains("например: системная информация"));
}

#[test]
fn another_command_is_carried_out_and_the_kept_answer_is_said_before_its_own() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    for (own, heard_at_once) in [(1024 - 1 - 6, true), (1024 - 6, false)] {
        let id = miss(&relay, &mut agent, "я", "первая");
        answer_late(&relay, &mut agent, &id, "первый");
        let mut http = relay.http();
        http.send_post(&turn_of(Some("я"), "speaker", "вторая").to_string());
        let (id, _) = agent.command();
        let own = "😀".repeat(own);
        agent.answer(&id, &own);
        let heard = said(&http.response().json());
        let news = say_of(&relay, Some("я"), "speaker", "готово");
        match heard_at_once {
            true => assert_eq!((heard, news.as_str()), (format!("первый\n{own}"), NO_NEWS)),
            false => assert_eq!((heard, news.as_str()), (own, "первый")),
        }
    }
}

#[test]
fn tts_is_kept_and_buttons_and_the_end_of_the_session_are_not() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    let id = miss(&relay, &mut agent, "я", "команда");
    let answer = json!({
        "id": id, "text": "замок", "tts": "зам+ок", "end_session": true, "buttons": [{ "title": "да" }],
    });
    agent.send(answer.to_string());
    relay.line("answered late");
    let reply = relay.turn(&turn_of(Some("я"), "speaker", "готово"));
    let response = json!({ "text": "замок", "tts": "зам+ок", "end_session": false });
    assert_eq!(reply["response"], response);
}

#[test]
fn an_answer_is_made_to_fit_before_a_kept_one_goes_before_it() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    for (answer, own) in [
        (json!({ "text": "Громкость 60", "tts": "" }), "Громкость 60"),
        (json!({ "text": "Громкость 60", "tts": " \n" }), "Громкость 60"),
        (json!({ "text": "" }), "Готово."),
        (json!({ "text": " ", "tts": "сделано" }), "Готово."),
    ] {
        let id = miss(&relay, &mut agent, "я", "первая");
        answer_late(&relay, &mut agent, &id, "первый");
        let mut http = relay.http();
        http.send_post(&turn_of(Some("я"), "speaker", "вторая").to_string());
        let mut message = answer.clone();
        message["id"] = json!(agent.command().0);
        agent.send(message.to_string());
        let response = http.response().json();
        assert_eq!(said(&response), format!("первый\n{own}"), "{answer}");
        let spoken = response["response"]["tts"].as_str();
        let right = (answer["tts"] == "сделано").then_some("первый\nсделано");
        assert_eq!(spoken, right, "{answer}: what is shown is spoken, unless something else is");
    }
}

#[test]
fn commands_that_a_link_took_along_are_one_sentence() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "100")]);
    let mut agent = relay.agent();
    for number in 0..5 {
        miss(&relay, &mut agent, "я", &format!("команда {number}"));
    }
    drop(agent);
    relay.line("Agent disconnected");
    let lost = "Связь с компьютером прервалась, пока он выполнял команду.";
    assert_eq!(say_of(&relay, Some("я"), "speaker", "готово"), lost);
    assert_eq!(say_of(&relay, Some("я"), "speaker", "готово"), NO_NEWS);
}

#[test]
fn who_has_too_many_late_answers_is_told_that_some_are_lost() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "100"), ("LOG_LEVEL", "debug")]);
    let mut agent = relay.agent();
    answer_many_late(&relay, &mut agent, 17);
    let answers: Vec<_> = (1..17).map(|number| format!("ответ {number}")).collect();
    let lost = "Часть ответов пропала: их накопилось слишком много.";
    let all = format!("{}\n{lost}", answers.join("\n"));
    assert_eq!(say_of(&relay, Some("я"), "speaker", "готово"), all);
    assert_eq!(say_of(&relay, Some("я"), "speaker", "готово"), NO_NEWS);
}

#[test]
fn a_command_that_is_given_up_pushes_no_answer_out() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "100"), ("LOG_LEVEL", "debug")]);
    let mut agent = relay.agent();
    answer_many_late(&relay, &mut agent, 16);
    for _ in 0..17 {
        miss(&relay, &mut agent, "я", "команда");
    }
    let heard = say_of(&relay, Some("я"), "speaker", "готово");
    assert!(heard.starts_with("ответ 0\nответ 1\n") && heard.contains("ответ 15"), "{heard}");
    assert!(heard.ends_with("На одну из команд компьютер так и не ответил."), "{heard}");
}

#[test]
fn every_way_to_ask_for_late_answers_is_the_relays_own() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    for words in ASKING {
        let id = miss(&relay, &mut agent, "я", "команда");
        answer_late(&relay, &mut agent, &id, "ответ");
        assert_eq!(say_of(&relay, Some("я"), "speaker", words), "ответ", "{words}");
    }
    assert!(relay.say("помощь").contains("готово"), "help names one of them");
}

#[test]
fn an_agent_that_leaves_has_answered_with_that() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    miss(&relay, &mut agent, "я", "команда");
    drop(agent);
    relay.line("Agent disconnected");
    let heard = say_of(&relay, Some("я"), "speaker", "готово");
    assert!(heard.starts_with("Связь с компьютером прервалась, пока"), "{heard}");
}

#[test]
fn an_agent_that_never_answers_locks_nobody_out() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "100")]);
    let mut agent = relay.agent();
    // More than the commands that may wait, those at work, and those of one person together.
    let mut ids = Vec::new();
    for round in 0..12 {
        let mut clients: Vec<_> = (0..64).map(|_| relay.http()).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            let person = format!("{}", (round * 64 + number) % 100);
            client.send_post(&turn_of(Some(&person), "speaker", "молчи").to_string());
        }
        ids.extend(clients.iter().map(|_| agent.command().0));
        for client in &mut clients {
            assert_eq!(said(&client.response().json()), AT_WORK);
        }
    }
    let mut http = relay.http();
    http.send_post(&turn_of(Some("новый"), "speaker", "ответь").to_string());
    agent.echo("да: ");
    assert_eq!(said(&http.response().json()), "да: ответь");
    let given_up = say_of(&relay, Some("0"), "speaker", "готово");
    assert!(given_up.starts_with("На одну из команд компьютер так и не ответил"), "{given_up}");
    agent.answer(&ids[0], "слишком поздно");
    assert!(relay.figure("VmHWM") < 64 * 1024);
}

#[test]
fn ten_thousand_people_with_late_answers_take_no_more_room_than_the_table() {
    let relay = Relay::start(&[("REPLY_TIMEOUT_MS", "100")]);
    let mut agent = relay.agent();
    let mut clients: Vec<_> = (0..250).map(|_| relay.http()).collect();
    let mut before = 0;
    for round in 0..40 {
        for (number, client) in clients.iter_mut().enumerate() {
            let person = format!("{}", round * 250 + number);
            client.send_post(&turn_of(Some(&person), "speaker", "команда").to_string());
        }
        let ids: Vec<_> = clients.iter().map(|_| agent.command().0).collect();
        for client in &mut clients {
            assert_eq!(said(&client.response().json()), AT_WORK);
        }
        for id in &ids {
            // An answer twice is an answer once.
            agent.answer(id, &"долгий ответ ".repeat(70));
            agent.answer(id, &"долгий ответ ".repeat(70));
        }
        if round == 4 {
            before = relay.figure("VmRSS");
        }
    }
    assert_eq!(say_of(&relay, Some("1"), "speaker", "готово"), NO_NEWS, "too many came after it");
    let last = say_of(&relay, Some("9999"), "speaker", "готово");
    assert!(
        last == "долгий ответ ".repeat(70) || last == NO_NEWS || last.starts_with("Команда"),
        "{last}"
    );
    let after = relay.figure("VmRSS");
    assert!(after < before + 4096, "{before} kB after 1,250 people, {after} kB after 10,000");
}

#[test]
fn ask_waits_on_and_shows_the_late_answer() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    let address = relay.address().to_string();
    let settings = [("LISTEN_ADDR", address.as_str()), ("API_KEY", support::KEY)];
    let asking = support::command(&settings)
        .args(["ask", "думай", "--wait", "20"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (id, _) = agent.command();
    relay.line("too-late");
    answer_late(&relay, &mut agent, &id, "надумал");
    let output = asking.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{AT_WORK}\nнадумал\n"));
}

#[test]
fn ask_waits_for_its_own_command_and_leaves_the_others_alone() {
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    let address = relay.address().to_string();
    let settings = [("LISTEN_ADDR", address.as_str()), ("API_KEY", support::KEY)];
    let ask = |arguments: &[&str]| {
        support::command(&settings)
            .args([&["ask"], arguments].concat())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
    };
    let words = |asking: std::process::Child| {
        let output = asking.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let slow = ask(&["медленная", "--wait", "20"]);
    let (slow_id, _) = agent.command();
    relay.line("too-late");
    let other = ask(&["другая"]);
    let (other_id, _) = agent.command();
    assert_eq!(words(other), (Some(1), format!("{AT_WORK}\n")));
    relay.line("too-late");
    answer_late(&relay, &mut agent, &other_id, "ответ на другую");
    // Whoever asks meanwhile hears neither before its own answer.
    let quick = ask(&["быстрая"]);
    agent.echo("");
    assert_eq!(words(quick), (Some(0), "быстрая\n".into()));
    answer_late(&relay, &mut agent, &slow_id, "ответ на медленную");
    assert_eq!(words(slow), (Some(0), format!("{AT_WORK}\nответ на медленную\n")));
    assert_eq!(words(ask(&["Готово?"])), (Some(0), "ответ на другую\n".into()));
    // A command that is lost is no answer.
    let lost = ask(&["медленная", "--wait", "20"]);
    agent.command();
    relay.line("too-late");
    drop(agent);
    relay.line("Agent disconnected");
    let (code, said) = words(lost);
    assert_eq!(code, Some(1));
    assert!(said.contains("Связь с компьютером прервалась, пока он выполнял команду."), "{said}");
}

#[test]
fn the_log_tells_how_many_were_late_and_how_many_were_heard() {
    let mut relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    let first = miss(&relay, &mut agent, "я", "раз");
    let second = miss(&relay, &mut agent, "ты", "два");
    answer_late(&relay, &mut agent, &first, "ответ");
    answer_late(&relay, &mut agent, &second, "ответ");
    assert_eq!(say_of(&relay, Some("я"), "speaker", "готово"), "ответ");
    assert_eq!(relay.stop().code(), Some(0));
    assert!(relay.rest_of_log().contains("2 late answers came, 1 of them were delivered"));
}

#[test]
fn the_dialogue_of_the_document_is_what_alice_says() {
    let document = include_str!("../docs/late-answers.md");
    let lines: Vec<_> = document.lines().filter_map(|l| l.strip_prefix("> — ")).collect();
    let (words, spoken): (Vec<_>, Vec<_>) =
        lines.chunks(2).map(|pair| (pair[0], pair[1].trim())).unzip();
    let normalised = |words: &str| {
        let words =
            words.split_once("попроси Домашний компьютер ").map_or(words, |(_, command)| command);
        words.to_lowercase().replace(['.', '?'], "").trim().to_owned()
    };
    let relay = Relay::start(&SETTINGS);
    let mut agent = relay.agent();
    let mut http = relay.http();
    let mut first = turn(&normalised(words[0]));
    first["session"]["new"] = json!(true);
    http.send_post(&first.to_string());
    let (tickets, _) = agent.command();
    assert_eq!(said(&http.response().json()), spoken[0]);
    let (at_work, _) = spoken[1].split_once("уже").unwrap();
    assert!(relay.say(&normalised(words[1])).starts_with(at_work));
    http.send_post(&turn(&normalised(words[2])).to_string());
    let (louder, _) = agent.command();
    agent.answer(&louder, spoken[2]);
    assert_eq!(said(&http.response().json()), spoken[2]);
    answer_late(&relay, &mut agent, &tickets, spoken[3]);
    assert_eq!(relay.say(&normalised(words[3])), spoken[3]);
    assert_eq!(relay.say(&normalised(words[4])), spoken[4]);
    assert_eq!(spoken.len(), 5);
}
