//! The pages that a browser is shown at the relay's public addresses.

use crate::http::exchange::Exchange;
use crate::http::page::page;
use crate::http::response::Response;

/// Whether a browser asks: programs don't ask for HTML.
pub fn is_browser(exchange: &Exchange) -> bool {
    exchange.field("Accept").is_some_and(|accept| accept.to_ascii_lowercase().contains("text/html"))
}

/// Returns the page at `/`.
pub fn root() -> Response {
    page(
        200,
        "<h1>Home Alice Relay работает</h1>\n\
         <p>Этот сервер передаёт команды Алисы на компьютер владельца.</p>\n\
         <p>Если владелец — вы, всё остальное на <a href=\"/owner\">странице владельца</a>.</p>",
    )
}

/// Returns the page at the webhook's address. It tells nothing more, since the address may leak.
pub fn webhook() -> Response {
    page(
        200,
        "<h1>Адрес верный</h1>\n\
         <p>Это адрес для Яндекс Диалогов: впишите его в консоли, в поле «Webhook URL». Сервер работает и ждёт \
         запросов Алисы, а в браузере здесь ничего нет.</p>\n\
         <p class=\"warn\">Адрес заменяет пароль: не показывайте его никому.</p>\n\
         <p>Что происходит на сервере, видно на <a href=\"/owner\">странице владельца</a>.</p>",
    )
}
