//! The clipboard's text (ICCCM 2.4).

use std::time::Instant;

use x11rb::connection::Connection;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt, CreateWindowAux, WindowClass};

use crate::system::linux::screen::{Screen, TIMEOUT, Trouble, with};

/// Bytes of a text.
const MAX_TEXT: u32 = 1024 * 1024;

const EMPTY: &str = "В буфере обмена нет текста.";
const TOO_MUCH: &str = "В буфере обмена слишком много текста.";

/// Returns the text in the clipboard.
///
/// # Errors
/// What to say of it.
pub fn read() -> Result<String, String> {
    with(read_from)
}

fn read_from(screen: &Screen) -> Result<String, Trouble> {
    let Screen { x, root } = screen;
    let (clipboard, form) = (screen.atom("CLIPBOARD")?, screen.atom("UTF8_STRING")?);
    // The owner puts the text into a property of ours, and so a window is needed. It goes with the connection.
    let own = x.generate_id()?;
    x.create_window(0, own, *root, 0, 0, 1, 1, 0, WindowClass::INPUT_ONLY, 0, &CreateWindowAux::new())?;
    x.convert_selection(own, clipboard, form, clipboard, x11rb::CURRENT_TIME)?;
    let until = Instant::now() + TIMEOUT;
    loop {
        match screen.event(until)? {
            Some(Event::SelectionNotify(told)) if told.requestor == own => {
                if told.property == x11rb::NONE {
                    return Err(EMPTY.into());
                }
                break;
            }
            Some(_) => {}
            None => return Err("Программа, из которой скопировано, не отвечает.".into()),
        }
    }
    let found = x.get_property(false, own, clipboard, AtomEnum::ANY, 0, MAX_TEXT / 4)?.reply()?;
    if found.bytes_after > 0 || found.type_ == screen.atom("INCR")? {
        return Err(TOO_MUCH.into());
    }
    let text = String::from_utf8(found.value).map_err(|_| EMPTY)?;
    if text.trim().is_empty() { Err(EMPTY.into()) } else { Ok(text) }
}
