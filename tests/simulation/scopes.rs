//! The laws of scopes (RFC 7871): what holds for a client holds for everybody inside the scope,
//! and scopes are the same or apart. And what is decided is what is written into the reply.

use std::net::IpAddr;

use meridian::model::Prefix;

use crate::adapter::{Answer, Family, Kind, Node, network};
use crate::common::Seeded;
use crate::drawn::once_in;
use crate::plan::{Plan, Service};

/// Who asks in a world: anybody, and those at the edges of networks that are told apart.
pub fn clients(plan: &Plan, dice: &mut Seeded) -> Vec<IpAddr> {
    let mut clients: Vec<IpAddr> = Vec::new();
    for _ in 0..6 {
        clients.extend([IpAddr::from(dice.public_v4()), dice.public_v6().into()]);
    }
    for one in &plan.overrides {
        let inside = network(one.address, one.length);
        let anywhere = within(inside, dice);
        let edges = [inside.address(), inside.last_address(), anywhere];
        // One bit from the edge is a neighbour in a larger network.
        let outside = flip(inside.address(), one.length.saturating_sub(1));
        clients.extend(edges.into_iter().chain([outside]).filter(|address| is_client(*address)));
    }
    clients
}

fn is_client(address: IpAddr) -> bool {
    !meridian::model::is_unroutable(address)
        && meridian::model::fold_embedded_v4(address).0 == address
}

/// An address of a network.
fn within(network: Prefix, dice: &mut Seeded) -> IpAddr {
    match (network.address(), network.last_address()) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let free = u32::from(first) ^ u32::from(last);
            IpAddr::V4((u32::from(first) | dice.next() as u32 & free).into())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let free = u128::from(first) ^ u128::from(last);
            let noise = u128::from(dice.next()) << 64 | u128::from(dice.next());
            IpAddr::V6((u128::from(first) | noise & free).into())
        }
        _ => unreachable!("a network is of one family"),
    }
}

fn flip(address: IpAddr, bit: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) ^ (1 << 31 >> bit)).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) ^ (1 << 127 >> bit)).into()),
    }
}

/// The scopes claimed for one service and type.
#[derive(Default)]
pub struct Scopes(Vec<Prefix>);

impl Scopes {
    /// Takes note of a scope, and names addresses it speaks for.
    pub fn claim(&mut self, client: IpAddr, answer: &Answer, dice: &mut Seeded) -> Vec<IpAddr> {
        let scope = network(client, answer.scope);
        for other in &self.0 {
            let shares = other.contains(scope.address()) || scope.contains(other.address());
            assert!(!shares || *other == scope, "{scope:?} and {other:?} overlap");
        }
        self.0.push(scope);
        // Nobody is told of a scope of 0 bits: it is everybody, and the family's own.
        let neighbours = match answer.scope {
            0 if client.is_ipv4() => vec![dice.public_v4().into()],
            0 => vec![dice.public_v6().into()],
            _ if once_in(dice, 2) => vec![within(scope, dice)],
            _ => vec![scope.address(), scope.last_address()],
        };
        neighbours.into_iter().filter(|address| is_client(*address)).collect()
    }

    /// Whoever is inside a scope is told the same.
    pub fn compare(
        &mut self,
        service: &Service,
        (client, ours): (IpAddr, &Answer),
        (neighbour, theirs): (IpAddr, &Answer),
    ) {
        let what = || format!("{client} {ours:?} beside {neighbour} {theirs:?}: {service:#?}");
        assert_eq!(ours.scope, theirs.scope, "{}", what());
        assert_eq!(
            (ours.kind, ours.ttl, ours.reason),
            (theirs.kind, theirs.ttl, theirs.reason),
            "{}",
            what()
        );
        let site = |answer: &Answer| {
            let endpoint = answer.targets.first().and_then(|shown| service.endpoint(shown));
            endpoint.map(|endpoint| endpoint.site)
        };
        if service.has_steady_site() {
            assert_eq!(site(ours), site(theirs), "{}", what());
        }
        if service.is_steady() && ours.reason != "last-resort" {
            assert_eq!(ours.targets, theirs.targets, "{}", what());
        }
    }
}

/// Asks for the same as a DNS query, where chance and turns have no say.
pub fn compare_octets(
    service: &Service,
    family: Family,
    client: IpAddr,
    answer: &Answer,
    node: &mut Node,
) {
    if !service.is_steady() || answer.reason == "last-resort" {
        return;
    }
    let reply = node.reply(&service.fqdn(), family, client);
    let what = format!("{reply:?} for {answer:?}");
    let rcode = match answer.kind {
        Kind::Chosen | Kind::NoData => 0,
        Kind::ServFail => 2,
        Kind::Refused => 5,
    };
    assert_eq!(reply.rcode, rcode, "{what}");
    let subnet = reply.option(8).expect("Client Subnet is answered");
    assert_eq!(subnet[3], answer.scope, "{what}");
    if answer.kind != Kind::Chosen {
        assert_eq!(reply.counts[1], 0, "{what}");
        return;
    }
    let addresses: Vec<IpAddr> = answer.targets.iter().filter_map(|t| t.parse().ok()).collect();
    if answer.targets[0].parse::<IpAddr>().is_err() {
        // A CNAME stands alone. Behind an address it is left out.
        assert_eq!(reply.counts[1], 1, "{what}");
        return;
    }
    assert_eq!(usize::from(reply.counts[1]), addresses.len(), "{what}");
    // The header, the question, then records whose owner is a pointer to it.
    let mut rest = &reply.octets[12 + service.fqdn().len() + 2 + 4..];
    for address in addresses {
        let (rtype, rdata) = match address {
            IpAddr::V4(v4) => (1, v4.octets().to_vec()),
            IpAddr::V6(v6) => (28, v6.octets().to_vec()),
        };
        let mut record = vec![0xc0, 12, 0, rtype, 0, 1];
        record.extend_from_slice(&answer.ttl.to_be_bytes());
        record.extend_from_slice(&[0, rdata.len() as u8]);
        record.extend_from_slice(&rdata);
        rest = rest.strip_prefix(&record[..]).unwrap_or_else(|| panic!("{address}: {what}"));
    }
}
