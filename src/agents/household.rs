//! The PCs as their agents introduced them, for as long as the relay runs, and which of them can best wake another.
//! Plain data.

use std::net::IpAddr;

use crate::agents::hello::Hello;
use crate::config::agents::AgentId;

/// The PCs of the household, by [`AgentId`].
#[derive(Debug)]
pub struct Household(Vec<KnownPc>);

/// What is known of one PC.
#[derive(Debug, Default, Clone)]
struct KnownPc {
    /// The agent's name and version; empty until it introduces itself.
    version: String,
    /// The addresses of its network cards.
    macs: Vec<String>,
    /// The public address of its last link, as the proxy says.
    from: Option<IpAddr>,
}

/// Why a PC can't be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwakeable {
    /// No agent is connected that could send the packet.
    NoWaker,
    /// No address of its network cards is known: none was told since the start, or the last list was empty.
    AddressUnknown,
}

impl Household {
    /// Creates a household of `pcs`, of which nothing is known yet.
    pub fn new(pcs: usize) -> Self {
        Self(vec![KnownPc::default(); pcs])
    }

    /// An agent of this PC connected from this address. It may be another agent, but the network cards are the same.
    pub fn connected(&mut self, agent: AgentId, from: Option<IpAddr>) {
        let pc = &mut self.0[usize::from(agent.0)];
        pc.version.clear();
        pc.from = from;
    }

    /// Stores what the PC's agent introduced itself with.
    pub fn introduce(&mut self, agent: AgentId, hello: Hello) {
        let pc = &mut self.0[usize::from(agent.0)];
        let Hello { version, macs } = hello;
        version.into_iter().for_each(|version| pc.version = version);
        macs.into_iter().for_each(|macs| pc.macs = macs);
    }

    /// Returns the agent's name and version; empty if it did not introduce itself.
    pub fn version(&self, agent: AgentId) -> &str {
        &self.0[usize::from(agent.0)].version
    }

    /// Returns the PC that is to wake this one, among those that can, and the addresses of this one's cards. Prefers a PC in
    /// the same network, as far as public addresses tell, and else takes the first.
    ///
    /// # Errors
    /// None can, or the addresses are unknown.
    pub fn wake_route(
        &self,
        agent: AgentId,
        can_wake: &dyn Fn(AgentId) -> bool,
    ) -> Result<(AgentId, &[String]), Unwakeable> {
        let target = &self.0[usize::from(agent.0)];
        let others = (0..).map(AgentId).zip(&self.0).filter(|(other, _)| *other != agent);
        // `min_by_key` returns the first of equals.
        let waker = others
            .filter(|(other, _)| can_wake(*other))
            .min_by_key(|(_, pc)| !is_same_network(pc.from, target.from));
        match (waker, &target.macs[..]) {
            (None, _) => Err(Unwakeable::NoWaker),
            (Some(_), []) => Err(Unwakeable::AddressUnknown),
            (Some((waker, _)), macs) => Ok((waker, macs)),
        }
    }
}

/// Whether two public addresses belong to one household: a router has one IPv4 address, and at least a /64 of IPv6.
fn is_same_network(one: Option<IpAddr>, other: Option<IpAddr>) -> bool {
    match (one.map(|one| one.to_canonical()), other.map(|other| other.to_canonical())) {
        (Some(IpAddr::V6(one)), Some(IpAddr::V6(other))) => one.octets()[..8] == other.octets()[..8],
        (one, other) => one.is_some() && one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: AgentId = AgentId(0);
    const ONE: AgentId = AgentId(1);
    const OTHER: AgentId = AgentId(2);

    fn hello(version: Option<&str>, macs: Option<&[&str]>) -> Hello {
        let macs = macs.map(|macs| macs.iter().map(|mac| (*mac).to_owned()).collect());
        Hello { version: version.map(str::to_owned), macs }
    }

    #[test]
    fn what_is_not_told_anew_stays_and_another_agent_on_a_pc_has_its_cards() {
        let mut household = Household::new(2);
        assert_eq!(household.version(ONE), "");
        household.introduce(ONE, hello(Some("a 1"), Some(&["m"])));
        household.introduce(ONE, hello(Some("a 2"), None));
        assert_eq!(household.version(ONE), "a 2");
        household.connected(ONE, None);
        assert_eq!(household.version(ONE), "", "it has not said so itself");
        let found = (TARGET, &["m".to_owned()][..]);
        assert_eq!(household.wake_route(ONE, &|_| true), Ok(found));
        household.introduce(ONE, hello(None, Some(&[])));
        assert_eq!(household.wake_route(ONE, &|_| true), Err(Unwakeable::AddressUnknown));
    }

    #[test]
    fn who_wakes_is_in_the_same_network_if_anybody_is_or_else_the_first() {
        for (target, one, other, chosen) in [
            ("203.0.113.7", "203.0.113.8", "203.0.113.7", OTHER),
            ("203.0.113.7", "203.0.113.7", "203.0.113.7", ONE),
            ("203.0.113.7", "198.51.100.1", "198.51.100.2", ONE),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:2:ffff::9", OTHER),
            ("203.0.113.7", "2001:db8::1", "::ffff:203.0.113.7", OTHER),
            ("::ffff:203.0.113.7", "::ffff:203.0.113.8", "203.0.113.7", OTHER),
            ("203.0.113.7", "", "203.0.113.7", OTHER),
            ("", "", "", ONE),
        ] {
            let mut household = Household::new(3);
            for (agent, from) in [(TARGET, target), (ONE, one), (OTHER, other)] {
                household.connected(agent, from.parse().ok());
            }
            assert_eq!(household.wake_route(TARGET, &|_| true), Err(Unwakeable::AddressUnknown));
            household.introduce(TARGET, hello(None, Some(&["m"])));
            let waker = household.wake_route(TARGET, &|_| true).map(|(waker, _)| waker);
            assert_eq!(waker, Ok(chosen), "{target} {one} {other}");
            let waker = household.wake_route(TARGET, &|pc| pc != chosen).map(|(waker, _)| waker);
            assert!(waker.is_ok_and(|waker| waker != chosen), "the other one can do it, too");
            assert_eq!(household.wake_route(TARGET, &|_| false), Err(Unwakeable::NoWaker));
        }
    }
}
