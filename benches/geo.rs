//! What it costs to find a client in a geo map, and to build one.
//!
//! `cargo bench --bench geo` runs it on made-up networks, each with a place of its own among
//! fifty thousand. To see the same with real ones, name databases:
//! `MERIDIAN_BENCH_DATABASES=city-ipv4.mmdb:city-ipv6.mmdb cargo bench --bench geo city`.
//!
//! Clients are random over the map: each is in a network drawn from all of them, so nothing
//! is where it was just looked for. An operator's clients are more alike.

use std::env;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock, Mutex};

use divan::{Bencher, black_box};
use hashbrown::HashMap;
use maxminddb::{Reader, WithinOptions};
use meridian::geo::{
    ClientMap, ClientMapSpec, Database, GeoMap, Locations, Override, OverrideTarget, RankedSite,
    RankingSpec,
};
use meridian::model::{Coordinates, Prefix, SiteId};

/// Clients asked for in turn; many, so that they do not stay in a cache.
const CLIENTS: usize = 1 << 18;

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

fn main() {
    divan::main();
}

/// A generator that needs no state of the machine (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A place where somebody might live.
    fn place(&mut self) -> Coordinates {
        let degrees = |tenths: u64, low: f64| low + tenths as f64 / 10.0;
        let (latitude, longitude) = (self.below(1100), self.below(3600));
        Coordinates::new(degrees(latitude, -45.0), degrees(longitude, -180.0)).unwrap()
    }

    /// A network of a family; lengths are those of what is routed and delegated.
    fn network(&mut self, family: &str) -> Prefix {
        if family == "IPv4" {
            let length = 18 + self.below(11) as u8;
            return Prefix::containing(Ipv4Addr::from(self.next() as u32).into(), length);
        }
        let top = [0x2001, 0x2400, 0x2600, 0x2804, 0x2a00, 0x2a02][self.below(6) as usize];
        let bits = u128::from(top << 48 | self.next() >> 16) << 64;
        Prefix::containing(Ipv6Addr::from(bits).into(), 29 + self.below(28) as u8)
    }

    /// A client in a network.
    fn inside(&mut self, network: Prefix) -> IpAddr {
        let length = u32::from(network.length());
        match network.address() {
            IpAddr::V4(v4) => {
                let free = u32::MAX.checked_shr(length).unwrap_or(0);
                Ipv4Addr::from(u32::from(v4) | self.next() as u32 & free).into()
            }
            IpAddr::V6(v6) => {
                let free = u128::MAX.checked_shr(length).unwrap_or(0);
                Ipv6Addr::from(u128::from(v6) | u128::from(self.next()) << 64 & free).into()
            }
        }
    }
}

/// Everything a map is made of, and the networks clients come from.
struct World {
    locations: Locations,
    networks: Vec<Prefix>,
    databases: Vec<Database>,
}

impl World {
    /// So many networks, half of each family.
    fn made_up(count: usize) -> Self {
        let mut random = Random(1);
        let places: Vec<Coordinates> = (0..50_000).map(|_| random.place()).collect();
        let overrides: Vec<Override> = (0..count)
            .map(|number| {
                let place = places[random.below(places.len() as u64) as usize];
                let network = random.network(FAMILIES[number % 2]);
                Override { network, target: OverrideTarget::Location(place) }
            })
            .collect();
        let networks = overrides.iter().map(|one| one.network).collect();
        Self {
            locations: Locations::build(&[], &overrides).unwrap(),
            networks,
            databases: Vec::new(),
        }
    }

    /// The databases of the environment, if it names any.
    fn city() -> Option<Self> {
        let paths = env::var("MERIDIAN_BENCH_DATABASES").ok()?;
        let (mut databases, mut networks) = (Vec::new(), Vec::new());
        for path in paths.split(':') {
            let bytes = std::fs::read(path).unwrap();
            let reader = Reader::from_source(&bytes).unwrap();
            for space in ["0.0.0.0/0", "2000::/3"] {
                let is_v6 = space.contains(':');
                if is_v6 && reader.metadata().ip_version == 4 {
                    continue;
                }
                let found = reader.within(space.parse().unwrap(), WithinOptions::default());
                // One in ten is enough, and is random enough.
                networks.extend(found.unwrap().step_by(10).map(|found| {
                    let network = found.unwrap().network().unwrap();
                    Prefix::containing(network.ip(), network.prefix())
                }));
            }
            databases.push(Database::open(path, bytes).unwrap());
        }
        let locations = Locations::build(&databases, &[]).unwrap();
        Some(Self { locations, networks, databases })
    }

    fn clients(&self, family: &str) -> Vec<IpAddr> {
        let mut random = Random(2);
        let of_family: Vec<_> = self
            .networks
            .iter()
            .filter(|network| network.address().is_ipv4() == (family == "IPv4"))
            .collect();
        let mut client = || {
            let network = of_family[random.below(of_family.len() as u64) as usize];
            random.inside(*network)
        };
        (0..CLIENTS).map(|_| client()).collect()
    }
}

/// The world of so many networks; 0 stands for the databases of the environment. Made once.
fn world(count: usize) -> Option<Arc<World>> {
    static WORLDS: LazyLock<Mutex<HashMap<usize, Option<Arc<World>>>>> =
        LazyLock::new(Mutex::default);
    let mut worlds = WORLDS.lock().unwrap();
    let made = worlds.entry(count).or_insert_with(|| {
        let made = if count == 0 { World::city() } else { Some(World::made_up(count)) };
        made.map(Arc::new)
    });
    made.clone()
}

/// Sites spread over the world.
fn spec(count: u16) -> RankingSpec {
    let mut random = Random(3);
    let site = |id| RankedSite { id: SiteId(id), location: random.place(), bias: 0 };
    let sites: Vec<RankedSite> = (0..count).map(site).collect();
    RankingSpec {
        default_order: sites.iter().map(|site| site.id).collect(),
        sites,
        tolerance_km: 50.0,
        max_scope_v4: RankingSpec::DEFAULT_MAX_SCOPE_V4,
        max_scope_v6: RankingSpec::DEFAULT_MAX_SCOPE_V6,
    }
}

fn look_up(bencher: Bencher<'_, '_>, networks: usize, sites: u16, family: &str) {
    let Some(world) = world(networks) else { return };
    let map = GeoMap::build(&world.locations, &spec(sites));
    let clients = world.clients(family);
    let mut turn = 0;
    bencher.bench_local(|| {
        turn = (turn + 1) % CLIENTS;
        let answer = map.lookup(black_box(clients[turn]));
        (answer.scope, answer.ranking.find(|step| Some(step[0])))
    });
}

fn build(bencher: Bencher<'_, '_>, networks: usize, sites: u16) {
    let Some(world) = world(networks) else { return };
    let spec = spec(sites);
    let map = GeoMap::build(&world.locations, &spec);
    let mib = map.heap_bytes() >> 20;
    eprintln!("{} networks, {} rankings, {mib} MiB", map.network_count(), map.ranking_count());
    // Counted, so that maps go as they come.
    bencher.bench_local(|| GeoMap::build(&world.locations, &spec).network_count());
}

#[divan::bench(args = FAMILIES, consts = [1_000, 30_000, 1_000_000], sample_size = 10_000)]
fn made_up<const NETWORKS: usize>(bencher: Bencher<'_, '_>, family: &str) {
    look_up(bencher, NETWORKS, 8, family);
}

#[divan::bench(args = FAMILIES, consts = [8, 250], sample_size = 10_000)]
fn city<const SITES: u16>(bencher: Bencher<'_, '_>, family: &str) {
    look_up(bencher, 0, SITES, family);
}

#[divan::bench(args = [8, 250], sample_size = 1, sample_count = 5)]
fn build_made_up(bencher: Bencher<'_, '_>, sites: u16) {
    build(bencher, 1_000_000, sites);
}

#[divan::bench(args = [8, 250], sample_size = 1, sample_count = 5)]
fn build_city(bencher: Bencher<'_, '_>, sites: u16) {
    build(bencher, 0, sites);
}

/// A rule for each country of the world, and some that are more precise.
fn rules() -> ClientMapSpec {
    let letters = || (b'A'..=b'Z').map(char::from);
    let countries = letters().flat_map(|a| letters().map(move |b| format!("country:{a}{b}")));
    let precise = ["city:Seoul", "subdivision:US/Texas", "continent:EU", "203.0.113.0/24"];
    let selectors =
        countries.chain(precise.map(str::to_owned)).filter_map(|text| text.parse().ok());
    let most = RankingSpec::DEFAULT_MAX_SCOPE_V6;
    let rules = selectors.map(|selector| vec![selector]).collect();
    ClientMapSpec::which_rule(rules, RankingSpec::DEFAULT_MAX_SCOPE_V4, most)
}

#[divan::bench(args = FAMILIES, sample_size = 10_000)]
fn city_rules(bencher: Bencher<'_, '_>, family: &str) {
    let Some(world) = world(0) else { return };
    let map = ClientMap::build_all(&world.databases, &[&rules()]).unwrap().remove(0);
    let clients = world.clients(family);
    let mut turn = 0;
    bencher.bench_local(|| {
        turn = (turn + 1) % CLIENTS;
        map.lookup(black_box(clients[turn]))
    });
}

#[divan::bench(sample_size = 1, sample_count = 5)]
fn build_city_rules(bencher: Bencher<'_, '_>) {
    let Some(world) = world(0) else { return };
    let spec = rules();
    let build = || ClientMap::build_all(&world.databases, &[&spec]).unwrap().remove(0);
    let map = build();
    eprintln!(
        "{} networks, {} classes, {} KiB",
        map.network_count(),
        map.class_count(),
        map.heap_bytes() >> 10
    );
    bencher.bench_local(|| build().network_count());
}
