//! The pages of account linking: in Russian, without a cookie or an outside file.

use crate::http::form::encoded;
use crate::http::page::{self, escaped, page};
use crate::http::response::Response;
use crate::smart_home::linking::{CLIENT_ID, LinkError, REDIRECT_URI};

const FORM: &str = include_str!("form.html");

/// Returns the page that asks for the pairing code; `was_wrong` adds that the last one was wrong.
pub fn ask(state: &str, was_wrong: bool) -> Response {
    let wrong = "<p class=\"wrong\" role=\"alert\">Код неверный, уже использован или устарел: он действует 5 минут и один раз. Проверьте его или получите новый командой <code>home-alice-relay pair</code>.</p>";
    let form = FORM
        .replace("{wrong}", if was_wrong { wrong } else { "" })
        .replace("{client_id}", CLIENT_ID)
        .replace("{redirect_uri}", REDIRECT_URI)
        .replace("{state}", &escaped(state));
    page::form(&form)
}

/// Returns the page that leads back to Yandex with an authorization code. It does so by itself, and holds a link for
/// where no redirect and no app may follow.
pub fn redirect_to_yandex(code: &str, state: &str) -> Response {
    let address = [REDIRECT_URI, "?code=", code, "&state=", &encoded(state)].concat();
    let content = [
        "<h1>Код принят</h1><p>Дальше привязку заканчивает Яндекс. Если страница не сменилась сама, нажмите:</p>\
         <a class=\"next\" rel=\"noreferrer\" href=\"",
        &escaped(&address),
        "\">Вернуться в Яндекс</a>",
    ]
    .concat();
    page::redirecting(&address, &content)
}

/// Returns the page for an invalid linking request, which tells the cure.
pub fn refuse(wrong: LinkError) -> Response {
    let (problem, cure) = match wrong {
        LinkError::ClientId => (
            "client_id",
            "В консоли, на вкладке «Связка аккаунтов», в поле «Идентификатор приложения» должно стоять <code>home-alice</code>.",
        ),
        LinkError::RedirectUri => (
            "redirect_uri",
            "Привязка возвращается только в приложение Яндекса. Начните её в приложении «Дом с Алисой», а в консоли проверьте поле «URL авторизации»: в нём не должно быть ничего после <code>/smart-home/authorize</code>.",
        ),
        LinkError::ResponseType => (
            "response_type",
            "В консоли проверьте поле «URL авторизации»: в нём не должно быть ничего после <code>/smart-home/authorize</code>.",
        ),
        LinkError::State => (
            "state",
            "Эту страницу открывает приложение «Дом с Алисой»: начните привязку в нём. Если она начата там, проверьте в консоли поле «URL авторизации»: в нём не должно быть ничего после <code>/smart-home/authorize</code>.",
        ),
    };
    let content = [
        "<h1>Привязать не получится</h1><p>Не подходит параметр <code>",
        problem,
        "</code>.</p><p>",
        cure,
        "</p>",
    ]
    .concat();
    page(400, &content)
}

/// Returns the page for a failure of the relay itself.
pub fn fail() -> Response {
    page(500, "<h1>Не получилось</h1><p>Сервер не смог создать код. Попробуйте ещё раз.</p>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::response::Ending;

    fn text(answer: Response) -> String {
        String::from_utf8(answer.into_bytes(Ending::Stays, false)).unwrap()
    }

    #[test]
    fn what_comes_from_outside_can_be_nothing_but_text() {
        let state = "\"><script>alert(1)</script>'&{content}";
        let page = text(ask(state, false));
        assert!(!page.contains("<script>alert"), "{page}");
        let right = "value=\"&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;&#123;content}\"";
        assert!(page.contains(right), "{page}");
        let page = text(redirect_to_yandex("the-code", state));
        let right = "?code=the-code&amp;state=%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E%27%26%7Bcontent%7D\"";
        assert_eq!(page.matches(right).count(), 2, "{page}");
    }

    #[test]
    fn nothing_is_left_to_be_filled_in() {
        let all = [
            ask("a", false),
            ask("a", true),
            refuse(LinkError::State),
            fail(),
            redirect_to_yandex("c", "a"),
        ];
        for page in all.map(text) {
            let (_, body) = page.split_once("</style>").unwrap();
            let body = body.split("<script>").next().unwrap();
            assert!(!body.contains('{') && !body.contains('}'), "{body}");
        }
        assert!(text(ask("a", true)).contains("Код неверный"));
        assert!(!text(ask("a", false)).contains("Код неверный"));
    }

    #[test]
    fn a_page_has_nothing_from_elsewhere_and_nothing_in_its_marks() {
        let page = text(ask("a", true));
        for part in ["<script ", "<link", "<img", "@import", "url(", "src=", "onclick", "style=\""] {
            assert!(!page.split_once("\r\n\r\n").unwrap().1.contains(part), "{part}");
        }
    }
}
