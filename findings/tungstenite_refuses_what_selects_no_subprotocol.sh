#!/usr/bin/env bash
# A client of tungstenite's that offers a subprotocol refuses a server that selects none; one of Python's websockets does not.
#
# What: tungstenite 0.30.0 (crates.io) against websockets 17.4 (PyPI).
# Expected: a server that agrees to no offered subprotocol leaves the field out (RFC 6455, 4.2.2, /subprotocol/), and a client fails on one
#   that it did not ask for (4.1). Both clients connect, and see that none was selected.
# Seen: websockets connects, with `subprotocol` None. tungstenite completes the same handshake and then answers
#   `SubProtocol error: Server sent no subprotocol`: there is no way to offer one and do without.
# So: a Rust agent that offers a newer format can't fall back to the older one over the same connection; it must try again without the
#   offer, or tell its owner that the server is too old. A Python agent just goes on.
#
# Needs Rust and Python 3.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$folder"' EXIT
python3 -m venv "$folder/tools"
"$folder/tools/bin/pip" install -q websockets==17.4
cat > "$folder/server.py" <<'END'
import asyncio
from websockets.asyncio.server import serve

async def main():
    async def hold(socket):
        await socket.wait_closed()
    async with serve(hold, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()

asyncio.run(main())
END
"$folder/tools/bin/python" "$folder/server.py" > "$folder/port" &
server=$!
until [ -s "$folder/port" ]; do sleep 0.1; done
port=$(cat "$folder/port")

cat > "$folder/client.py" <<'END'
import asyncio, sys
from websockets.asyncio.client import connect

async def main():
    async with connect(f"ws://127.0.0.1:{sys.argv[1]}", subprotocols=["newer.v2"]) as socket:
        print("websockets: connected, subprotocol", socket.subprotocol)

asyncio.run(main())
END
"$folder/tools/bin/python" "$folder/client.py" "$port" | tee "$folder/said"

mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
[dependencies]
tungstenite = { version = "=0.30.0", default-features = false, features = ["handshake"] }
END
cat > "$folder/src/main.rs" <<'END'
use tungstenite::client::IntoClientRequest;

fn main() {
    let port = std::env::args().nth(1).unwrap();
    let mut request = format!("ws://127.0.0.1:{port}").into_client_request().unwrap();
    request.headers_mut().insert("Sec-WebSocket-Protocol", "newer.v2".parse().unwrap());
    let stream = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    match tungstenite::client(request, stream) {
        Ok(_) => println!("tungstenite: connected"),
        Err(error) => println!("tungstenite: {error}"),
    }
}
END
cargo run --quiet --manifest-path "$folder/Cargo.toml" -- "$port" | tee -a "$folder/said"
grep -q '^websockets: connected, subprotocol None$' "$folder/said" &&
    grep -q '^tungstenite: .*Server sent no subprotocol$' "$folder/said" || {
    echo "this has changed" >&2
    exit 1
}
