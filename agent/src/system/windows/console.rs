//! The console that Windows opens for a program that was double-clicked.

use windows::Win32::System::Console::GetConsoleProcessList;

/// Whether the console was opened for this program alone: by a double click, and not by a command line.
pub fn is_own() -> bool {
    let mut processes = [0; 2];
    // SAFETY: the list is told with its length.
    unsafe { GetConsoleProcessList(&mut processes) == 1 }
}
