//! Overrides by the million: text files, one network a line, and those of the TOML file.
//!
//! ```text
//! # network         a place, or sites in order
//! 203.0.113.0/24    37.57,126.98
//! 2001:db8::/32     frankfurt seoul
//! ```
//!
//! A table of TOML costs two kilobytes while it is read, a line here what it is long. Sites
//! are checked as in `site_order`; what holds where is decided in [`crate::geo`].

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use crate::config::diagnostic::Diagnostic;
use crate::config::source::Spanned;
use crate::config::spec::{OverridePlace, OverrideSpec, Spec};
use crate::geo::{Override, OverrideTarget};
use crate::model::{Coordinates, Prefix, SiteId};

use super::Work;

/// Of one file at most so many errors are told.
const ERRORS_TOLD: usize = 20;

/// All overrides. Of two for one network the later holds: a table of the TOML file before a
/// line of a file. `None` if a file is missing or has errors, which are told.
pub(super) fn compile(spec: &Spec, work: &mut Work<'_>) -> Option<Vec<Override>> {
    let sites = Sites::of(spec);
    let mut overrides = Vec::new();
    let mut seen = HashMap::new();
    let mut complete = true;
    for (number, path) in spec.geoip.override_files.iter().enumerate() {
        complete &= read_file(path, number, &sites, &mut seen, &mut overrides, work);
    }
    overrides.extend(spec.geoip.overrides.iter().map(of_table));
    complete.then_some(overrides)
}

fn of_table(spec: &OverrideSpec) -> Override {
    let target = match &spec.place {
        OverridePlace::Location(at) => OverrideTarget::Location(*at),
        OverridePlace::SiteOrder(order) => OverrideTarget::SiteOrder(order.clone()),
    };
    Override { network: spec.cidr.value, target }
}

/// The sites by name, and which of them have endpoints.
struct Sites<'s> {
    by_name: HashMap<&'s str, SiteId>,
    used: HashSet<SiteId>,
}

impl<'s> Sites<'s> {
    fn of(spec: &'s Spec) -> Self {
        let names = spec.sites.iter().map(|site| site.name.value.as_str());
        let endpoints = spec.services.iter().flat_map(|service| &service.endpoints);
        Self {
            by_name: names.zip((0..=u16::MAX).map(SiteId)).collect(),
            used: endpoints.map(|endpoint| endpoint.site.value).collect(),
        }
    }

    fn find(&self, name: &str) -> Result<SiteId, String> {
        match self.by_name.get(name) {
            Some(site) if self.used.contains(site) => Ok(*site),
            Some(_) => Err(format!("site `{name}` has no endpoint of any service")),
            None => Err(format!("no site is called `{name}`")),
        }
    }
}

/// Reads one file; whether all of it was good. `seen` has each network's file and line.
fn read_file(
    path: &Spanned<PathBuf>,
    number: usize,
    sites: &Sites<'_>,
    seen: &mut HashMap<Prefix, (u32, u32)>,
    overrides: &mut Vec<Override>,
    work: &mut Work<'_>,
) -> bool {
    work.read.push(path.value.clone());
    let text = work.files.read(&path.value).map_err(|error| error.to_string());
    let text = text.and_then(|octets| {
        String::from_utf8(octets).map_err(|_| "it is not UTF-8 text".to_owned())
    });
    let text = match text {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.value.display());
            work.diagnostics.push(work.source.diagnostic(&path.at, message, None));
            return false;
        }
    };
    let mut errors = 0usize;
    for (line_number, line) in (1u32..).zip(text.lines()) {
        let content = line.split_once('#').map_or(line, |(content, _)| content);
        if content.trim().is_empty() {
            continue;
        }
        let read = read_line(content, sites).and_then(|one| {
            match seen.insert(one.network, (number as u32, line_number)) {
                None => Ok(one),
                Some((file, line)) if file as usize == number => {
                    Err((1, format!("{} was in line {line} before", one.network)))
                }
                Some((_, line)) => {
                    Err((1, format!("{} was in line {line} of another file before", one.network)))
                }
            }
        });
        match read {
            Ok(one) => overrides.push(one),
            Err((column, message)) => {
                errors += 1;
                if errors <= ERRORS_TOLD {
                    let diagnostic = Diagnostic::at_line(
                        &path.value,
                        line_number as usize,
                        column,
                        Some(line),
                        message,
                    );
                    work.diagnostics.push(diagnostic);
                }
            }
        }
    }
    if let Some(more) = errors.checked_sub(ERRORS_TOLD).filter(|more| *more > 0) {
        let message = format!("{more} more lines are wrong");
        work.diagnostics.push(Diagnostic::about_file(&path.value, message));
    }
    errors == 0
}

/// What a line says, or in which column it says something wrong, and what.
fn read_line(content: &str, sites: &Sites<'_>) -> Result<Override, (usize, String)> {
    let column = |word: &str| {
        let before = word.as_ptr() as usize - content.as_ptr() as usize;
        content[..before].chars().count() + 1
    };
    let mut words = content.split_ascii_whitespace();
    let network = words.next().unwrap_or(content);
    let wrong = |word: &str, message: String| (column(word), message);
    let prefix: Prefix = network.parse().map_err(|error| wrong(network, format!("{error}")))?;
    let Some(first) = words.next() else {
        let message = "a place (37.57,126.98) or sites are expected after the network".to_owned();
        return Err(wrong(network, message));
    };
    let target = match first.split_once(',') {
        Some((latitude, longitude)) => {
            let degrees = |text: &str| {
                let message = || format!("`{first}` is no latitude,longitude in degrees");
                text.parse::<f64>().map_err(|_| wrong(first, message()))
            };
            let at = Coordinates::new(degrees(latitude)?, degrees(longitude)?);
            if let Some(more) = words.next() {
                return Err(wrong(more, "nothing is expected after a place".to_owned()));
            }
            OverrideTarget::Location(at.map_err(|error| wrong(first, error.to_string()))?)
        }
        None => {
            let mut order = Vec::new();
            for name in std::iter::once(first).chain(words) {
                let site = sites.find(name).map_err(|message| wrong(name, message))?;
                if order.contains(&site) {
                    return Err(wrong(name, format!("`{name}` is named twice")));
                }
                order.push(site);
            }
            order.shrink_to_fit();
            OverrideTarget::SiteOrder(order)
        }
    };
    Ok(Override { network: prefix, target })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load;
    use crate::model::MemoryFiles;

    const CONFIG: &str = "
[geoip]
override_files = [\"one\", \"two\"]
[[geoip.override]]
cidr = \"10.0.0.0/8\"
site_order = [\"seoul\"]
[[zone]]
name = \"example.com\"
file = \"zone\"
[site.seoul]
location = [37.57, 126.98]
[site.paris]
location = [48.86, 2.35]
[site.unused]
location = [0, 0]
[service.www]
names = [\"www.example.com\"]
policy = \"geo-proximity\"
endpoints = [{ site = \"seoul\", address = \"192.0.2.1\" }, { site = \"paris\", address = \"192.0.2.2\" }]
";

    fn files(one: &str, two: &str) -> MemoryFiles {
        let zone = "@ 300 SOA ns1 host 1 2 3 4 5\n@ 300 NS ns1\nns1 300 A 192.0.2.53\n";
        MemoryFiles::default()
            .with("meridian.toml", CONFIG)
            .with("zone", zone)
            .with("one", one)
            .with("two", two)
    }

    #[test]
    fn lines_are_overrides_and_tables_stand_above() {
        let one = "# ours\n\n198.51.100.0/24 37.5,127 # Seoul\r\n2001:db8::/32\tparis seoul\n";
        let two = "10.0.0.0/8 paris\n203.0.113.7 paris\n";
        let catalog = load(Path::new("meridian.toml"), &files(one, two), None).unwrap();
        assert!(catalog.files.contains(&"two".into()), "files are watched");
        let map = catalog.geo.maps.values().next().unwrap();
        for (client, site, scope) in [
            ("198.51.100.1", 0, 24),
            ("2001:db8::1", 1, 32),
            ("203.0.113.7", 1, 32),
            ("10.1.1.1", 0, 8),
        ] {
            let answer = map.lookup(client.parse().unwrap());
            let first = answer.ranking.find(|step| Some(step[0].0));
            // By default, too, Seoul comes first, so only Paris shows in a scope.
            assert_eq!(first, Some(site), "{client}");
            assert!(site == 0 || answer.scope == scope, "{client} {}", answer.scope);
        }
    }

    #[test]
    fn every_wrong_line_is_named() {
        let one = "198.51.100.0/24\n198.51.100.1/24 paris\n10.0.0.0/8 rome\n10.0.0.0/9 unused\n\
                   10.0.0.0/10 91,0\n10.0.0.0/10 1,x\n10.0.0.0/10 1,2 paris\n10.0.0.0/10 paris paris\n\
                   192.0.2.0/24 paris\n192.0.2.0/24 seoul\n";
        let two = "192.0.2.0/24 paris\n";
        let refused = load(Path::new("meridian.toml"), &files(one, two), None).unwrap_err();
        let told: Vec<String> = refused.diagnostics.iter().map(ToString::to_string).collect();
        let expected = [
            ("one:1:1: ", "expected after the network"),
            ("one:2:1: ", "did you mean 198.51.100.0/24?"),
            ("one:3:12: ", "no site is called `rome`"),
            ("one:4:12: ", "no endpoint of any service"),
            ("one:5:13: ", "latitude 91"),
            ("one:6:13: ", "`1,x` is no latitude,longitude"),
            ("one:7:17: ", "nothing is expected after a place"),
            ("one:8:19: ", "named twice"),
            ("one:10:1: ", "192.0.2.0/24 was in line 9 before"),
            ("two:1:1: ", "was in line 10 of another file before"),
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, (place, message)) in told.iter().zip(expected) {
            assert!(told.starts_with(place) && told.contains(message), "{told}");
        }
        let wrong = "x\n".repeat(1000);
        let refused = load(Path::new("meridian.toml"), &files(&wrong, ""), None).unwrap_err();
        assert_eq!(refused.diagnostics.iter().count(), ERRORS_TOLD + 1);
    }
}
