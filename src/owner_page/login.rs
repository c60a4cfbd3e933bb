//! The pages for logging in.

use crate::config::credentials::LOCK;
use crate::http::page::{escaped, form, page};
use crate::http::response::Response;

/// The code is invalid.
pub const WRONG: &str = "Код неверный, уже использован или устарел: он действует 5 минут и один раз. Проверьте \
                         его или получите новый командой <code>home-alice-relay login</code>.";

/// The code was valid, but the browser sent no cookie.
pub const NOT_KEPT: &str = "Код был верный, но браузер не сохранил вход. Откройте страницу по <code>https://</code>, \
                            или на самом сервере по адресу <code>127.0.0.1</code>, разрешите cookie и введите \
                            новый код.";

/// Returns the page that asks for the code; `wrong` is the error of the last one, or empty.
pub fn ask(wrong: &str) -> Response {
    let wrong = match wrong {
        "" => String::new(),
        wrong => ["<p class=\"wrong\" role=\"alert\">", wrong, "</p>\n"].concat(),
    };
    let content = [
        "<h1>Страница владельца</h1>\n",
        &wrong,
        "<form method=\"post\" action=\"/owner/enter\">\n\
         <label for=\"code\">Код входа</label>\n\
         <input id=\"code\" name=\"code\" placeholder=\"XXXX-XXXX-XXXX\" maxlength=\"32\" autocomplete=\"off\" \
         autocapitalize=\"characters\" spellcheck=\"false\" required autofocus>\n\
         <button type=\"submit\">Войти</button>\n\
         </form>\n\
         <p class=\"dim\">Код печатает на сервере команда <code>home-alice-relay login</code>, в Docker \
         <code>docker exec home-alice-relay /home-alice-relay login</code>. Он действует 5 минут и один раз, \
         а вход в этом браузере — 90 дней.</p>",
    ]
    .concat();
    form(&content)
}

/// Returns the page of a relay without `WEBHOOK_SECRET`, where nobody can log in.
pub fn no_secret() -> Response {
    page(
        200,
        &[
            "<h1>Дверь открыта: задайте WEBHOOK_SECRET</h1>\n\
             <p class=\"warn\">Сейчас команды принимаются от любого, кто найдёт адрес сервера. Страница владельца \
             открывается только вместе с WEBHOOK_SECRET.</p>\n\
             <p>Выполните на сервере, в папке с файлом <code>.env</code>:</p>\n<p><code>",
            &escaped(LOCK),
            "</code></p>\n\
             <p>Перезапустите сервер, в Docker <code>docker-compose up -d</code>. Новый адрес навыка скажет команда \
             <code>home-alice-relay setup</code>, а вход сюда даст <code>home-alice-relay login</code>.</p>",
        ]
        .concat(),
    )
}
