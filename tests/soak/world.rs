//! The server's configuration and zone, and what it may answer: exactly one thing for what is
//! static, and for services what the moods of their back ends allow.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::common::backend::{Backend, Mood};
use crate::common::{Folder, Server};

/// Back ends that change.
pub const BACKENDS: usize = 3;

/// After so long the server has noticed a change of mood: twice the interval, the timeout, and
/// time for a busy machine.
const SETTLED: Duration = Duration::from_millis(2 * 250 + 2000 + 2500);

/// `max_udp_payload`, the default.
pub const MAX_UDP: u16 = 1232;

pub const A: u16 = 1;
pub const NS: u16 = 2;
pub const SOA: u16 = 6;
pub const MX: u16 = 15;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;

const ZONE: &str = "\
$TTL 300
@ SOA ns1.example.com. hostmaster.example.com. SERIAL 3600 600 86400 60
@ NS ns1.example.com.
@ MX 10 mail
ns1 A 192.0.2.53
mail A 192.0.2.25
www A 192.0.2.1
www AAAA 2001:db8::1
many A 192.0.2.2
many A 192.0.2.3
many A 192.0.2.4
a.b.ent A 192.0.2.5
*.wild A 192.0.2.6
chain CNAME link
link CNAME www
child NS ns.child
ns.child A 192.0.2.60
";

/// What a configuration may be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    Good,
    /// The other kinds say something else of `www`, and have an error.
    BrokenConfig,
    BrokenZone,
    UnknownKey,
}

/// A question, and what is right for an answer. In the name, `#` stands for any number.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    pub name: &'static str,
    pub rtype: u16,
    /// An IPv4 /24 for Client Subnet.
    pub subnet: Option<[u8; 3]>,
    pub expect: Expect,
}

#[derive(Debug, Clone, Copy)]
pub enum Expect {
    /// These records, in any order, and no other. `#` as in the question.
    Records(&'static [&'static str]),
    /// 30 long TXT records, cut over UDP.
    Big,
    /// The SOA, with a serial that is or was in force meanwhile.
    Soa,
    NoData,
    NxDomain,
    /// These NS records in the authority section.
    Referral(&'static [&'static str]),
    Refused,
    /// Every endpoint of 192.0.2.100 and on that is up; the last always is.
    All,
    /// The first two of them, or SERVFAIL.
    Two,
    /// The first of all that is up.
    First,
    /// The endpoint at one site, which has no check.
    Site(u8),
}

const fn ask(name: &'static str, rtype: u16, expect: Expect) -> Question {
    Question { name, rtype, subnet: None, expect }
}

const fn from(subnet: [u8; 3], site: u8) -> Question {
    Question { subnet: Some(subnet), ..ask("near.example.com", A, Expect::Site(site)) }
}

/// What honest clients ask.
pub const QUESTIONS: &[Question] = &[
    ask("www.example.com", A, Expect::Records(&["www.example.com. 300 IN A 192.0.2.1"])),
    ask("www.example.com", AAAA, Expect::Records(&["www.example.com. 300 IN AAAA 2001:db8::1"])),
    ask(
        "many.example.com",
        A,
        Expect::Records(&[
            "many.example.com. 300 IN A 192.0.2.2",
            "many.example.com. 300 IN A 192.0.2.3",
            "many.example.com. 300 IN A 192.0.2.4",
        ]),
    ),
    ask("example.com", NS, Expect::Records(&["example.com. 300 IN NS ns1.example.com."])),
    ask("example.com", MX, Expect::Records(&["example.com. 300 IN MX 10 mail.example.com."])),
    ask("example.com", SOA, Expect::Soa),
    ask("x#.wild.example.com", A, Expect::Records(&["x#.wild.example.com. 300 IN A 192.0.2.6"])),
    ask(
        "chain.example.com",
        A,
        Expect::Records(&[
            "chain.example.com. 300 IN CNAME link.example.com.",
            "link.example.com. 300 IN CNAME www.example.com.",
            "www.example.com. 300 IN A 192.0.2.1",
        ]),
    ),
    ask("big.example.com", TXT, Expect::Big),
    ask("www.example.com", TXT, Expect::NoData),
    ask("b.ent.example.com", A, Expect::NoData),
    ask("all.example.com", AAAA, Expect::NoData),
    ask("none#.example.com", A, Expect::NxDomain),
    ask(
        "x#.child.example.com",
        A,
        Expect::Referral(&["child.example.com. 300 IN NS ns.child.example.com."]),
    ),
    ask("www.example.net", A, Expect::Refused),
    ask("all.example.com", A, Expect::All),
    ask("two.example.com", A, Expect::Two),
    ask("first.example.com", A, Expect::First),
    ask("near.example.com", A, Expect::Site(0)),
    from([198, 51, 100], 1),
    from([203, 0, 113], 2),
];

/// What is there to be asked.
pub struct World {
    folder: Folder,
    backends: [(Backend, Mutex<Health>); BACKENDS],
    /// One that is always well, and one that good configurations probe by turns.
    others: [Backend; 2],
    /// The serials that may be in force: from the first to the last.
    serials: [AtomicU32; 2],
}

/// What a back end is, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Health {
    well: bool,
    since: Instant,
}

/// What may be answered, as known before a question is sent.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    serial: u32,
    healths: [Health; BACKENDS],
    at: Instant,
}

/// What may be answered, as known when the reply came.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    pub serials: [u32; 2],
    /// Whether each endpoint of 192.0.2.100 and on is up; `None` if either is right.
    pub up: [Option<bool>; BACKENDS + 1],
}

impl World {
    /// Starts the server, with all back ends up.
    pub fn start() -> (Self, Server) {
        // Settled: below, the server is seen to know it.
        let since = Instant::now().checked_sub(SETTLED).expect("the machine is up for longer");
        let health = || Mutex::new(Health { well: true, since });
        let world = Self {
            folder: Folder::new(&[]),
            backends: [(); BACKENDS].map(|()| (Backend::start(), health())),
            others: [(); 2].map(|()| Backend::start()),
            serials: [AtomicU32::new(1), AtomicU32::new(1)],
        };
        world.write(1, Content::Good);
        let mut server = Server::start(&world.folder);
        // The back ends that change, the one that does not, and the one of odd serials.
        (0..BACKENDS + 2).for_each(|_| drop(server.wait_for("to=up")));
        (world, server)
    }

    /// Writes the files.
    pub fn write(&self, serial: u32, content: Content) {
        let mut zone = ZONE.replace("SERIAL", &serial.to_string());
        zone += &(0..30).map(|n| format!("big TXT \"{n:0>100}\"\n")).collect::<String>();
        let mut config = self.config(serial);
        match content {
            Content::Good => {}
            Content::BrokenConfig => config += "[service.www\n",
            Content::UnknownKey => config = config.replace("policy = \"failover\"", "polcy = 1"),
            Content::BrokenZone => zone += "broken A 192.0.2.300\n",
        }
        if content != Content::Good {
            zone = zone.replace("192.0.2.1\n", "192.0.2.99\n");
            config = config.replace("192.0.2.1", "192.0.2.2");
        }
        self.folder.write("example.com.zone", &zone);
        self.folder.write("meridian.toml", &config);
    }

    fn config(&self, serial: u32) -> String {
        let probe = |n: usize| match self.backends.get(n) {
            Some((backend, _)) => backend.address,
            None => self.others[n - BACKENDS].address,
        };
        let endpoints = |count: usize| -> String {
            let endpoint = |n| {
                let probe = probe(n);
                format!(
                    "{{ site = \"s{n}\", address = \"192.0.2.{}\", probe = \"{probe}\" }},",
                    100 + n
                )
            };
            (0..count).map(endpoint).collect()
        };
        let mut config = format!(
            "[server]\nlisten = [\"127.0.0.1:0\"]\nworkers = 2\nwatch_files = false\n\
             tcp_idle_timeout = \"3s\"\ntcp_max_connections = 256\n\
             [[zone]]\nname = \"example.com\"\nfile = \"example.com.zone\"\n\
             [[geoip.override]]\ncidr = \"198.51.100.0/24\"\nsite_order = [\"s1\"]\n\
             [[geoip.override]]\ncidr = \"203.0.113.0/24\"\nsite_order = [\"s2\"]\n\
             [site.s0]\nlocation = [50, 8]\n[site.s1]\nlocation = [37, 127]\n\
             [site.s2]\nlocation = [39, -77]\n[site.s3]\n[site.s4]\n\
             [check.web]\ntype = \"http\"\ninterval = \"250ms\"\ntimeout = \"2s\"\nfall = 2\n\
             rise = 2\n\
             [service.all]\nnames = [\"all.example.com\"]\npolicy = \"round-robin\"\n\
             check = \"web\"\nmax_answers = 4\nendpoints = [{all}]\n\
             [service.two]\nnames = [\"two.example.com\"]\npolicy = \"weighted\"\n\
             check = \"web\"\nmax_answers = 2\nall_down = \"servfail\"\nendpoints = [{two}]\n\
             [service.first]\nnames = [\"first.example.com\"]\npolicy = \"failover\"\n\
             check = \"web\"\ndefault_order = [\"s0\", \"s1\", \"s2\", \"s3\"]\n\
             endpoints = [{all}]\n\
             [service.near]\nnames = [\"near.example.com\"]\npolicy = \"geo-proximity\"\n\
             default_order = [\"s0\", \"s1\", \"s2\"]\nendpoints = [\n\
             {{ site = \"s0\", address = \"192.0.2.100\" }},\n\
             {{ site = \"s1\", address = \"192.0.2.101\" }},\n\
             {{ site = \"s2\", address = \"192.0.2.102\" }},\n]\n",
            all = endpoints(BACKENDS + 1),
            two = endpoints(2),
        );
        if serial % 2 == 1 {
            // A service and a target that come and go.
            config += &format!(
                "[service.odd]\nnames = [\"odd.example.com\"]\npolicy = \"random\"\n\
                 check = \"web\"\nendpoints = [{{ site = \"s4\", address = \"192.0.2.104\", \
                 probe = \"{}\" }}]\n",
                self.others[1].address
            );
        }
        config
    }

    /// A good configuration will be loaded.
    pub fn coming(&self, serial: u32) {
        self.serials[1].store(serial, SeqCst);
    }

    /// It is in force.
    pub fn arrived(&self, serial: u32) {
        self.serials[0].store(serial, SeqCst);
    }

    /// Makes a back end that is well fail so, or one that fails recover.
    pub fn flap(&self, which: usize, mood: Mood) {
        let (backend, health) = &self.backends[which];
        let mut health = health.lock().unwrap();
        *health = Health { well: !health.well, since: Instant::now() };
        backend.set(if health.well { Mood::Well } else { mood });
    }

    /// Makes all back ends well.
    pub fn heal(&self) {
        self.backends.iter().for_each(|(backend, _)| backend.set(Mood::Well));
    }

    fn healths(&self) -> [Health; BACKENDS] {
        self.backends.each_ref().map(|(_, health)| *health.lock().unwrap())
    }

    /// To be called before a question is sent.
    pub fn know(&self) -> Known {
        Known { serial: self.serials[0].load(SeqCst), healths: self.healths(), at: Instant::now() }
    }

    /// To be called when its reply is there.
    pub fn allowed(&self, before: &Known) -> Allowed {
        let now = self.healths();
        let mut up = [Some(true); BACKENDS + 1];
        for (n, (then, now)) in before.healths.iter().zip(now).enumerate() {
            let is_settled =
                *then == now && before.at.saturating_duration_since(then.since) >= SETTLED;
            up[n] = is_settled.then_some(then.well);
        }
        Allowed { serials: [before.serial, self.serials[1].load(SeqCst)], up }
    }
}

impl Allowed {
    /// Whether a service may have answered with these addresses of endpoints, in any order.
    ///
    /// | service | answered must be |
    /// |---|---|
    /// | `All` | whatever is up of all; the last always is |
    /// | `Two` | whatever is up of the first two; SERVFAIL without any |
    /// | `First` | one that is not down, with none before it that is up |
    /// | `Site` | that one |
    ///
    /// What may be either, because it changed just now, fits both ways.
    pub fn is_right(&self, expect: Expect, servfail: bool, addresses: &[Ipv4Addr]) -> bool {
        let mut answered = [false; BACKENDS + 1];
        for address in addresses {
            let [192, 0, 2, last] = address.octets() else { return false };
            match answered.get_mut(usize::from(last).wrapping_sub(100)) {
                Some(seen) if !*seen => *seen = true,
                _ => return false,
            }
        }
        let each_fits =
            |count: usize| (0..count).all(|n| self.up[n].is_none_or(|up| up == answered[n]));
        match expect {
            Expect::All => !servfail && each_fits(BACKENDS + 1),
            Expect::Two => {
                servfail == addresses.is_empty() && each_fits(2) && !answered[2..].contains(&true)
            }
            Expect::First => {
                let Some(first) = answered.iter().position(|&seen| seen) else { return false };
                !servfail
                    && addresses.len() == 1
                    && self.up[first] != Some(false)
                    && self.up[..first].iter().all(|&up| up != Some(true))
            }
            Expect::Site(site) => !servfail && addresses.len() == 1 && answered[usize::from(site)],
            _ => false,
        }
    }
}
