#!/usr/bin/env bash
# D-Bus has a type DOUBLE, and UPower tells a battery's percentage by it. rustbus has no f64 for it, neither read nor written.
#
# What: rustbus 0.19.3 (crates.io).
# Expected: like the other basic types of the specification (D-Bus Specification 0.43, "Summary of types"), DOUBLE has its Rust type: f64
#   can be pushed into a message and got out of one, and the dynamic `Param` of a double holds an f64.
# Seen: u8 to u64, bool and text can; `body.parser().get::<f64>()` doesn't compile (E0277: f64 is no Unmarshal), nor does `push_param(80.5)`.
#   The dynamic `Base::Double` holds a u64, the bits of the number: 80.5 comes out as Double(4635365100843171840).
# So: whoever reads `Percentage`, a player's `Volume` or `Rate` needs a type of his own that has the signature "d" and makes an f64 of the
#   bits; a program that takes the dynamic value as it is tells of a battery with 4635365100843171840 percent.
#
# Needs Rust.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
rustbus = "=0.19.3"
END
cat > "$folder/src/main.rs" <<'END'
use rustbus::message_builder::MarshalledMessageBody;
use rustbus::params::{Base, Param};

fn main() {
    let mut body = MarshalledMessageBody::new();
    body.push_param(7u32).unwrap();
    body.push_old_param(&Param::Base(Base::Double(80.5f64.to_bits()))).unwrap();
    let mut parser = body.parser();
    println!("u32: {}", parser.get::<u32>().unwrap());
    println!("double: {:?}", parser.get_param().unwrap());
}
END
cd "$folder"
export CARGO_TARGET_DIR=$folder/target
cargo run -q | tee said
grep -qx 'u32: 7' said
grep -q 'Double(4635365100843171840)' said
cat >> src/main.rs <<'END'

pub fn read(body: &MarshalledMessageBody) -> f64 {
    body.parser().get().unwrap()
}

pub fn write(body: &mut MarshalledMessageBody) {
    body.push_param(80.5f64).unwrap();
}
END
if cargo check -q 2> errors; then
    echo "f64 can be read and written: this has changed" >&2
    exit 1
fi
grep -c 'E0277.*f64' errors
grep -q 'f64: .*Unmarshal' errors && grep -q 'f64: .*Marshal' errors
echo "as described"
