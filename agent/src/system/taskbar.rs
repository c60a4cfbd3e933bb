//! What a taskbar shows. Plain data.

/// A window that a taskbar would show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its number, for what is done with it.
    pub id: u32,
    pub title: String,
    /// What its program calls itself or its windows: both parts of WM_CLASS on Linux; on Windows the package that it is of, or
    /// else the class.
    pub class: String,
    /// The name of the program's file, on Windows without the extension.
    pub program: Option<String>,
}
