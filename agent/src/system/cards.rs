//! This PC's network cards, and waking those of others (AMD's "Magic Packet Technology", 1995).

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use network_interface::{Addr, NetworkInterface, NetworkInterfaceConfig};

use crate::action::Mac;

/// Cards that are told of; the relay keeps no more.
pub const MAX_CARDS: usize = 8;

/// The port of `discard` (RFC 863), which magic packets go to by custom.
const PORT: u16 = 9;

/// Returns the addresses of this PC's own cards; of all there are where none is a real one.
pub fn cards() -> Vec<String> {
    let mut all: Vec<(bool, String)> = Vec::new();
    for interface in interfaces() {
        let mac = interface.mac_addr.as_deref().and_then(Mac::parse).filter(|mac| mac.0 != [0; 6]);
        if let Some(mac) = mac {
            all.push((super::is_real_card(&interface.name), mac.to_string()));
        }
    }
    let is_any_real = all.iter().any(|(is_real, _)| *is_real);
    all.retain(|(is_real, _)| *is_real == is_any_real);
    let mut cards: Vec<String> = all.into_iter().map(|(_, mac)| mac).collect();
    cards.sort();
    cards.dedup();
    cards.truncate(MAX_CARDS);
    cards
}

/// Whether this PC has an address in any network.
pub fn is_online() -> bool {
    interfaces().iter().any(|interface| !interface.internal && !interface.addr.is_empty())
}

/// Sends magic packets for `cards` into every local network. Returns how many there are.
pub fn wake(cards: &[Mac]) -> usize {
    let networks = interfaces().into_iter().filter(|interface| !interface.internal);
    let addresses = networks.flat_map(|interface| interface.addr).filter_map(|address| match address {
        Addr::V4(v4) => Some((v4.ip, broadcast(v4.ip, v4.netmask?)?)),
        Addr::V6(_) => None,
    });
    addresses.filter(|(from, to)| send(*from, *to, cards).is_ok()).count()
}

/// Returns the broadcast address of a network (RFC 919); none where there are two ends and no network, as in a VPN. What the
/// library calls so is the other end there.
fn broadcast(own: Ipv4Addr, mask: Ipv4Addr) -> Option<Ipv4Addr> {
    let hosts = !mask.to_bits();
    (hosts > 1).then(|| Ipv4Addr::from_bits(own.to_bits() | hosts))
}

/// A socket that is bound to an interface's own address sends there whatever the default route says.
fn send(from: Ipv4Addr, to: Ipv4Addr, cards: &[Mac]) -> io::Result<()> {
    let socket = UdpSocket::bind((from, 0))?;
    socket.set_broadcast(true)?;
    for card in cards {
        socket.send_to(&packet(*card), (to, PORT))?;
    }
    Ok(())
}

/// Six times 255, then the address sixteen times.
fn packet(card: Mac) -> [u8; 102] {
    let mut packet = [0xff; 102];
    packet[6..].chunks_exact_mut(6).for_each(|six| six.copy_from_slice(&card.0));
    packet
}

fn interfaces() -> Vec<NetworkInterface> {
    NetworkInterface::show().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_packet_is_six_times_255_and_sixteen_times_the_address() {
        let packet = packet(Mac([1, 2, 3, 4, 5, 6]));
        assert_eq!(packet[..8], [255, 255, 255, 255, 255, 255, 1, 2]);
        assert_eq!(packet[96..], [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_network_of_two_ends_has_no_broadcast_address() {
        let of = |mask| broadcast(Ipv4Addr::new(10, 9, 0, 1), mask);
        assert_eq!(of(Ipv4Addr::new(255, 255, 255, 0)), Some(Ipv4Addr::new(10, 9, 0, 255)));
        assert_eq!(of(Ipv4Addr::new(255, 255, 255, 252)), Some(Ipv4Addr::new(10, 9, 0, 3)));
        assert_eq!((of(Ipv4Addr::new(255, 255, 255, 254)), of(Ipv4Addr::BROADCAST)), (None, None));
    }

    #[test]
    fn every_card_that_is_told_of_can_be_read_again() {
        let cards = cards();
        assert!(cards.len() <= MAX_CARDS && cards.iter().all(|card| Mac::parse(card).is_some()), "{cards:?}");
    }
}
