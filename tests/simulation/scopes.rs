//! The laws of scopes (RFC 7871): what holds for a client holds for everybody inside the scope,
//! and scopes are the same or apart. And what is decided is what is written into the reply.

use std::net::{IpAddr, Ipv6Addr};

use crate::adapter::{Answer, Family, Kind, Node, Prefix, Told, network};
use crate::common::Seeded;
use crate::drawn::once_in;
use crate::plan::{Plan, Service};

/// Who asks in a world: anybody, and those at the edges of networks that are told apart.
pub fn clients(plan: &Plan, dice: &mut Seeded) -> Vec<IpAddr> {
    let mut clients: Vec<IpAddr> = Vec::new();
    for _ in 0..6 {
        clients.extend([IpAddr::from(dice.public_v4()), dice.public_v6().into()]);
    }
    let overrides = plan.overrides.iter().map(|one| network(one.address, one.length));
    let lists = plan.services.iter().flat_map(|service| &service.endpoints);
    let lists = lists.flat_map(|endpoint| plan.fences(endpoint)).flatten().copied();
    let rules = plan.geo_maps.iter().flat_map(|map| &map.rules);
    let rules = rules.flat_map(|(clients, _)| plan.networks(clients)).copied();
    let measured = plan.latencies.iter().map(|(network, ..)| *network);
    let mut all: Vec<Prefix> = overrides.chain(lists).chain(rules).chain(measured).collect();
    all.sort_unstable();
    all.dedup();
    for inside in all {
        let anywhere = within(inside, dice);
        let edges = [inside.address(), inside.last_address(), anywhere];
        // One bit from the edge is a neighbour in a larger network.
        let outside = flip(inside.address(), inside.length().saturating_sub(1));
        clients.extend(edges.into_iter().chain([outside]).filter(|address| is_client(*address)));
    }
    clients
}

fn is_client(address: IpAddr) -> bool {
    // A Teredo address tells its client at its end, and a network of them none.
    let teredo = network(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0).into(), 32);
    !meridian::model::is_unroutable(address)
        && meridian::model::fold_embedded_v4(address).0 == address
        && !teredo.contains(address)
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

/// The scopes claimed for one service and type, with the services on the way to the answer.
#[derive(Default)]
pub struct Scopes(Vec<(Prefix, Vec<String>)>);

/// The names of the services that have decided.
fn way(told: &Told) -> Vec<String> {
    told.way.iter().map(|(name, _)| name.clone()).collect()
}

/// Whether whoever asks again is led the same way.
fn is_steady_way(plan: &Plan, told: &Told) -> bool {
    let mut services = told.way.iter().map(|(name, _)| plan.service(name));
    services.all(|service| service.nested().next().is_none() || service.is_steady())
}

impl Scopes {
    /// Takes note of a scope, and names addresses it speaks for. Where turns or chance lead to one
    /// service or another, each way has scopes of its own.
    pub fn claim(
        &mut self,
        plan: &Plan,
        client: IpAddr,
        told: &Told,
        dice: &mut Seeded,
    ) -> Vec<IpAddr> {
        let scope = network(client, told.answer.scope);
        let (ours, is_steady) = (way(told), is_steady_way(plan, told));
        for (other, theirs) in self.0.iter().filter(|(_, theirs)| is_steady || *theirs == ours) {
            let shares = other.contains(scope.address()) || scope.contains(other.address());
            let what = || format!("{scope} by {ours:?} and {other} by {theirs:?} overlap");
            assert!(!shares || *other == scope, "{}: {:#?}", what(), plan.service(&ours[0]));
        }
        self.0.push((scope, ours));
        // Nobody is told of a scope of 0 bits: it is everybody, and the family's own.
        let neighbours = match told.answer.scope {
            0 if client.is_ipv4() => vec![dice.public_v4().into()],
            0 => vec![dice.public_v6().into()],
            _ if once_in(dice, 2) => vec![within(scope, dice)],
            _ => vec![scope.address(), scope.last_address()],
        };
        neighbours.into_iter().filter(|address| is_client(*address)).collect()
    }

    /// Whoever is inside a scope is told the same.
    pub fn compare(
        &self,
        plan: &Plan,
        (client, ours): (IpAddr, &Told),
        (neighbour, theirs): (IpAddr, &Told),
    ) {
        let asked = plan.service(&ours.way[0].0);
        let what = || format!("{client} {ours:#?} beside {neighbour} {theirs:#?}: {asked:#?}");
        if way(ours) != way(theirs) {
            assert!(!is_steady_way(plan, ours), "{}", what());
            return;
        }
        let (last, _) = ours.way.last().expect("somebody was asked");
        let service = plan.service(last);
        let (ours, theirs) = (&ours.answer, &theirs.answer);
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
    plan: &Plan,
    service: &Service,
    (family, client): (Family, IpAddr),
    told: &Told,
    node: &mut Node,
) {
    let on_the_way = || told.way.iter().map(|(name, _)| plan.service(name));
    // Pins go by a clock here, and by another there.
    let is_fixed = on_the_way().all(|one| one.is_steady() && one.sticky.is_none());
    let answer = &told.answer;
    if !is_fixed || answer.reason == "last-resort" {
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
