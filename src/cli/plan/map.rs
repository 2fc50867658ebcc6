//! The forecast as a drawing, and as a page around it.
//!
//! Nothing is fetched: countries are points where their people are, sites squares where they run.
//! A point is as large as its clients are many and has the colour of the site most of them will
//! go to; a line leads those who move to their new site.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::Coordinates;

use super::report::{AskedReport, CountryReport, PlaceOnMap, Report, ScenarioReport, SiteReport};
use super::text::{Text, in_words, percent};

/// Of one map, in the units of the drawing: two per degree.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;

/// What stands over a map, but for the sites: two lines.
const HEAD: f64 = 34.0;

/// A line of sites, and how many it has.
const LINE: f64 = 12.0;
const SITES_PER_LINE: usize = 4;

/// So many maps are drawn at most; the numbers are all in the tables.
const MAX_MAPS: usize = 64;

/// Colours that can be told apart on light and on dark, also by most who are colour-blind (Okabe
/// and Ito, 2008), then again.
const COLOURS: [&str; 9] = [
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a600", "#882255",
    "#8a8a8a",
];

const STYLE: &str = "
svg { color-scheme: light dark; font-family: system-ui, sans-serif; --ink: #222; --faint: #ddd; --ground: #fff; }
@media (prefers-color-scheme: dark) { svg { --ink: #eee; --faint: #333; --ground: #111; } }
.ground { fill: var(--ground); } .grid { stroke: var(--faint); stroke-width: 0.5; fill: none; }
.flow { fill: none; stroke-opacity: 0.6; stroke-linecap: round; }
.country { fill-opacity: 0.55; } .none { fill: var(--faint); fill-opacity: 1; }
.site { stroke: var(--ink); stroke-width: 1; } .down { fill: none; stroke-dasharray: 2 1; }
text { fill: var(--ink); font-size: 9px; } .title { font-size: 13px; font-weight: 600; }
";

/// One map: what is asked of a service by one crowd.
struct Map<'r> {
    title: String,
    words: String,
    scenario: &'r ScenarioReport,
    asked: &'r AskedReport,
}

/// One drawing with all maps, one below the other.
pub(super) fn svg(report: &Report) -> String {
    let maps = maps(report);
    let height: f64 = maps.iter().map(Map::height).sum();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" \
         aria-label=\"Who would move\">\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    let mut down = 0.0;
    for map in &maps {
        let _ = writeln!(svg, "<g transform=\"translate(0 {down})\">");
        map.draw(&mut svg);
        svg.push_str("</g>\n");
        down += map.height();
    }
    svg.push_str("</svg>\n");
    svg
}

/// A page with the drawing and the tables.
pub(super) fn html(report: &Report, countries: usize) -> String {
    let text = escaped(&Text { report, countries }.to_string());
    let problems: String =
        report.problems.iter().map(|problem| format!("<li>{}</li>\n", escaped(problem))).collect();
    let verdict = match problems.is_empty() {
        true => String::new(),
        false => {
            format!("<h2>Not within the limits</h2>\n<ul class=\"problems\">\n{problems}</ul>\n")
        }
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Meridian: forecast</title>\n<style>\n\
         :root {{ color-scheme: light dark; font-family: system-ui, sans-serif; }}\n\
         body {{ margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }}\n\
         svg {{ width: 100%; height: auto; }}\npre {{ overflow-x: auto; }}\n\
         .problems {{ color: #d55e00; }}\n</style>\n</head>\n<body>\n<h1>Forecast</h1>\n\
         {verdict}{}<h2>Numbers</h2>\n<pre>{text}</pre>\n</body>\n</html>\n",
        svg(report)
    )
}

/// Of each scenario and service what is asked by the crowds, but for those of which nobody moves
/// where somebody does elsewhere.
fn maps(report: &Report) -> Vec<Map<'_>> {
    let mut maps: Vec<Map<'_>> = Vec::new();
    for scenario in &report.scenarios {
        for service in &scenario.services {
            for asked in &service.asked {
                let (name, question) = (&service.service, &asked.question);
                let title = format!("{}: {name} {question}", scenario.what);
                let words = in_words(asked);
                maps.push(Map { title, words, scenario, asked });
            }
        }
    }
    if maps.iter().any(|map| map.asked.shift > 0.0) {
        maps.retain(|map| map.asked.shift > 0.0);
    }
    maps.truncate(MAX_MAPS);
    maps
}

impl Map<'_> {
    /// What stands over the map.
    fn head(&self) -> f64 {
        HEAD + LINE * self.asked.all.sites.len().div_ceil(SITES_PER_LINE) as f64
    }

    fn height(&self) -> f64 {
        self.head() + HEIGHT + LINE
    }

    fn draw(&self, svg: &mut String) {
        let colours = self.colours();
        let (title, words) = (escaped(&self.title), escaped(&self.words));
        let _ = writeln!(svg, "<text class=\"title\" x=\"8\" y=\"14\">{title}</text>");
        let _ = writeln!(svg, "<text x=\"8\" y=\"27\">{words}</text>");
        self.legend(svg, &colours);
        let _ = writeln!(svg, "<g transform=\"translate(0 {})\">", self.head());
        grid(svg);
        for country in &self.asked.countries {
            self.flows(svg, country, &colours);
        }
        let biggest = self.asked.countries.iter().map(|c| c.tally.clients).fold(0.0, f64::max);
        for country in &self.asked.countries {
            point(svg, country, biggest, &colours);
        }
        for place in &self.scenario.places {
            square(svg, place, &colours);
        }
        svg.push_str("</g>\n");
    }

    fn colours(&self) -> BTreeMap<&str, &'static str> {
        let sites = self.scenario.places.iter().map(|place| place.site.as_str());
        let mut sites: Vec<&str> =
            sites.chain(self.asked.all.sites.iter().map(|site| site.site.as_str())).collect();
        sites.sort_unstable();
        sites.dedup();
        sites.into_iter().zip(COLOURS.into_iter().cycle()).collect()
    }

    fn legend(&self, svg: &mut String, colours: &BTreeMap<&str, &'static str>) {
        let step = (WIDTH - 16.0) / SITES_PER_LINE as f64;
        for (number, SiteReport { site, before, after }) in self.asked.all.sites.iter().enumerate()
        {
            let x = 8.0 + step * (number % SITES_PER_LINE) as f64;
            let y = HEAD + LINE * (number / SITES_PER_LINE) as f64;
            let told = format!("{site} {} > {}", percent(*before), percent(*after));
            let _ = writeln!(
                svg,
                "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"7\" height=\"7\" fill=\"{}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                colours[site.as_str()],
                x + 10.0,
                y + 7.0,
                escaped(&told)
            );
        }
    }

    /// A line to every site that gets more of a country, as broad as what it gets.
    fn flows(
        &self,
        svg: &mut String,
        country: &CountryReport,
        colours: &BTreeMap<&str, &'static str>,
    ) {
        let Some(from) = country.at.map(on_map) else { return };
        for site in country.tally.sites.iter().filter(|site| site.after > site.before) {
            let place = self.scenario.places.iter().find(|place| place.site == site.site);
            let Some(place) = place else { continue };
            let moved = (site.after - site.before) * country.tally.clients;
            let breadth = (moved / self.asked.all.clients).sqrt() * 24.0;
            if breadth < 0.15 {
                continue;
            }
            let to = on_map(place.at);
            // Bent upwards, so that ways to and fro are told apart.
            let (x, y) = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
            let bend = y - 0.15 * (from.0 - to.0).hypot(from.1 - to.1);
            let _ = writeln!(
                svg,
                "<path class=\"flow\" stroke=\"{}\" stroke-width=\"{breadth:.2}\" \
                 d=\"M{:.1} {:.1}Q{x:.1} {bend:.1} {:.1} {:.1}\"/>",
                colours[site.site.as_str()],
                from.0,
                from.1,
                to.0,
                to.1
            );
        }
    }
}

fn grid(svg: &mut String) {
    let mut lines = String::new();
    for longitude in (0..=12).map(|line| f64::from(line) * WIDTH / 12.0) {
        let _ = write!(lines, "M{longitude} 0V360");
    }
    for latitude in (0..=6).map(|line| f64::from(line) * 60.0) {
        let _ = write!(lines, "M0 {latitude}H{WIDTH}");
    }
    let _ = writeln!(svg, "<path class=\"grid\" d=\"{lines}\"/>");
}

fn point(
    svg: &mut String,
    country: &CountryReport,
    biggest: f64,
    colours: &BTreeMap<&str, &'static str>,
) {
    let Some((x, y)) = country.at.map(on_map) else { return };
    let code = country.country.as_deref().unwrap_or_default();
    let radius = 1.2 + 14.0 * (country.tally.clients / biggest).sqrt();
    let most = country.tally.sites.iter().max_by(|a, b| a.after.total_cmp(&b.after));
    let colour = most.and_then(|site| colours.get(site.site.as_str()));
    let fill = colour.map_or("class=\"none\"".to_owned(), |colour| {
        format!("class=\"country\" fill=\"{colour}\"")
    });
    let told: Vec<String> = country
        .tally
        .sites
        .iter()
        .map(|site| format!("{} {} > {}", site.site, percent(site.before), percent(site.after)))
        .collect();
    let told = escaped(&format!("{code}: {}", told.join(", ")));
    let _ = writeln!(
        svg,
        "<circle {fill} cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"><title>{told}</title></circle>"
    );
}

fn square(svg: &mut String, place: &PlaceOnMap, colours: &BTreeMap<&str, &'static str>) {
    let (x, y) = on_map(place.at);
    let class = if place.is_down { "site down" } else { "site" };
    let fill = if place.is_down { "none" } else { colours[place.site.as_str()] };
    let name = escaped(&place.site);
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" fill=\"{fill}\" x=\"{:.1}\" y=\"{:.1}\" width=\"7\" height=\"7\">\
         <title>{name}</title></rect><text x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
        x - 3.5,
        y - 3.5,
        x + 5.5,
        y + 3.0
    );
}

/// Where a place is drawn: degrees as they are (equirectangular).
fn on_map(at: Coordinates) -> (f64, f64) {
    ((at.longitude() + 180.0) * 2.0, (90.0 - at.latitude()) * 2.0)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}
