//! Gives the exe for Windows its icons, version, description and manifest.

use std::env;

/// Русский (Россия).
const RUSSIAN: u16 = 0x0419;

fn main() -> std::io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=windows");
    if env::var_os("CARGO_CFG_WINDOWS").is_none() {
        return Ok(());
    }
    // The resource compilers work in a folder of their own.
    let file = |name: &str| format!("{}/windows/{name}", env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    winresource::WindowsResource::new()
        .set_language(RUSSIAN)
        .set("ProductName", "Home Alice")
        .set("FileDescription", "Агент Home Alice: делает на компьютере то, что сказано Алисе")
        .set("InternalName", "home-alice-agent")
        .set("OriginalFilename", "home-alice-agent.exe")
        // Explorer shows the first of them; the other is beside the clock while there is no link.
        .set_icon_with_id(&file("linked.ico"), "1")
        .set_icon_with_id(&file("unlinked.ico"), "2")
        .set_manifest_file(&file("agent.manifest"))
        .compile()
}
