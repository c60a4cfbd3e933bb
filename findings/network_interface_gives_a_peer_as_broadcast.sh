#!/usr/bin/env bash
# network-interface calls the other end of a tunnel its broadcast address.
#
# What: network-interface 2.0.5 (crates.io), Linux.
# Expected: `V4IfAddr::broadcast`, documented as the broadcast address for this interface, is None for a point-to-point interface (a VPN's
#   tun), which has none.
# Seen: it is Some(the peer's address). getifaddrs(3) keeps both in one union, and IFF_POINTOPOINT, which says which of them it is, is not
#   looked at.
# So: whoever sends to "the broadcast address of every interface", as wake-on-LAN does, sends to the peer of a VPN and believes that a
#   local network was reached. Address and netmask tell: a netmask of 32 bits has no broadcast address.
#
# Needs root, Rust and iproute2; makes one network namespace and takes it away.
set -euo pipefail
folder=$(mktemp -d)
space=finding-$$
trap 'ip netns del "$space" 2>/dev/null || true; rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'END'
[package]
name = "finding"
version = "0.0.0"
edition = "2024"
[dependencies]
network-interface = "=2.0.5"
END
cat > "$folder/src/main.rs" <<'END'
use network_interface::{Addr, NetworkInterface, NetworkInterfaceConfig};

fn main() {
    for interface in NetworkInterface::show().unwrap() {
        for address in interface.addr {
            if let Addr::V4(v4) = address {
                println!("{} {} {:?} {:?}", interface.name, v4.ip, v4.broadcast, v4.netmask);
            }
        }
    }
}
END
cargo build --quiet --manifest-path "$folder/Cargo.toml"
ip netns add "$space"
ip -n "$space" tuntap add tun0 mode tun
ip -n "$space" address add 10.9.0.1 peer 10.9.0.2 dev tun0
ip -n "$space" link set tun0 up
ip netns exec "$space" "$folder/target/debug/finding" | tee "$folder/said"
grep -q '^tun0 10.9.0.1 Some(10.9.0.2) Some(255.255.255.255)$' "$folder/said" || {
    echo "the peer is no broadcast address any more, so this has changed" >&2
    exit 1
}
