//! The forecast for people.

use std::fmt;

use comfy_table::{CellAlignment, Table, presets};

use super::report::{AskedReport, CountryReport, Report, ScenarioReport, TallyReport};

/// Shows a report as text, with so many countries of each kind of client.
pub(super) struct Text<'r> {
    pub(super) report: &'r Report,
    pub(super) countries: usize,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, scenario) in self.report.scenarios.iter().enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            self.scenario(f, scenario)?;
        }
        Ok(())
    }
}

impl Text<'_> {
    fn scenario(&self, f: &mut fmt::Formatter<'_>, scenario: &ScenarioReport) -> fmt::Result {
        writeln!(f, "{}", scenario.what)?;
        let (before, after) = (scenario.health_before, scenario.health_after);
        match before == after {
            true => writeln!(f, "  health   {before}")?,
            false => writeln!(f, "  health   before: {before}\n           after: {after}")?,
        }
        for (word, names) in [("added", &scenario.added), ("removed", &scenario.removed)] {
            if !names.is_empty() {
                writeln!(f, "  {word:<8} {}", names.join(", "))?;
            }
        }
        for service in &scenario.services {
            writeln!(
                f,
                "\nservice {}: {} of its clients move",
                service.service,
                percent(service.shift)
            )?;
            for asked in &service.asked {
                self.asked(f, asked)?;
            }
        }
        loads(f, scenario)
    }

    fn asked(&self, f: &mut fmt::Formatter<'_>, asked: &AskedReport) -> fmt::Result {
        writeln!(f, "\n  {} {}", asked.question, in_words(asked))?;
        let mut table = table(&["site", "before", "after", "change"]);
        for site in &asked.all.sites {
            let change = format!("{:+.2} %", (site.after - site.before) * 100.0);
            table.add_row([site.site.clone(), percent(site.before), percent(site.after), change]);
        }
        indented(f, &table)?;
        if asked.flows.is_empty() {
            return Ok(());
        }
        let mut flows = self::table(&["from", "to", "clients"]);
        for flow in &asked.flows {
            flows.add_row([flow.from.clone(), flow.to.clone(), percent(flow.share)]);
        }
        writeln!(f)?;
        indented(f, &flows)?;
        self.countries(f, asked)
    }

    fn countries(&self, f: &mut fmt::Formatter<'_>, asked: &AskedReport) -> fmt::Result {
        let moved = asked.countries.iter().filter(|country| country.tally.moved > 0.0);
        let moved: Vec<&CountryReport> = moved.collect();
        let mut table = table(&["country", "moved", "of it", "networks", "before", "after"]);
        for country in moved.iter().take(self.countries) {
            let tally = &country.tally;
            let (before, after) = shares(tally);
            table.add_row([
                country.country.clone().unwrap_or("unknown".to_owned()),
                percent(tally.moved / asked.all.clients),
                percent(tally.moved / tally.clients),
                format!("{:.0}", tally.moved_networks),
                before,
                after,
            ]);
        }
        if !moved.is_empty() && self.countries > 0 {
            writeln!(f)?;
            indented(f, &table)?;
        }
        let more = moved.len().saturating_sub(self.countries);
        if more > 0 {
            writeln!(f, "    and {more} more countries: --countries {}", moved.len())?;
        }
        Ok(())
    }
}

fn loads(f: &mut fmt::Formatter<'_>, scenario: &ScenarioReport) -> fmt::Result {
    if scenario.loads.iter().all(|load| load.max_demand.is_none()) && !scenario.is_demand_known {
        return Ok(());
    }
    let amount = |amount: f64| match scenario.is_demand_known {
        true => format!("{amount:.1}"),
        false => percent(amount),
    };
    writeln!(f, "\nsites, each by what sends it the most")?;
    let used = if scenario.is_demand_known { "of max_demand" } else { "against its part" };
    let mut table = table(&["site", "before", "after", "max_demand", used]);
    for load in &scenario.loads {
        let over = if load.is_over { " over" } else { "" };
        let used = load.used.map_or("-".to_owned(), |used| format!("{}{over}", percent(used)));
        table.add_row([
            load.site.clone(),
            amount(load.before),
            amount(load.after),
            load.max_demand.map_or("-".to_owned(), |max| max.to_string()),
            if load.is_down { "down".to_owned() } else { used },
        ]);
    }
    indented(f, &table)?;
    match scenario.holds {
        Some(holds) => writeln!(f, "    the first site is full at a demand of {holds:.1}"),
        None => Ok(()),
    }
}

/// Who asks, and how well it is known where they go.
pub(super) fn in_words(asked: &AskedReport) -> String {
    let (all, share) = (&asked.all, percent(asked.shift));
    let crowd = match asked.crowd {
        "ipv4" => format!("by IPv4, {:.0} addresses in {:.0} networks", all.clients, all.networks),
        "ipv6" => format!("by IPv6, {:.0} /48 in {:.0} networks", all.clients, all.networks),
        _ => format!("by {:.0} clients listed, {} queries", all.networks, all.clients),
    };
    let moved = format!("{share} move, in {:.0} of the networks", all.moved_networks);
    let moved = if asked.crowd == "listed" { format!("{share} move") } else { moved };
    let certainty = match (asked.rotating > 0.0, asked.sampled > 0.0) {
        (false, false) => "exact".to_owned(),
        (true, false) => "expected of whole rotations".to_owned(),
        (_, true) => {
            format!(
                "expected: for {} prefixes were drawn, as a hash decides",
                percent(asked.sampled)
            )
        }
    };
    format!("{crowd}: {moved} ({certainty})")
}

/// Where the clients of a country go, the most first.
fn shares(tally: &TallyReport) -> (String, String) {
    let told = |share: fn(&super::report::SiteReport) -> f64| {
        let mut sites: Vec<(&str, f64)> =
            tally.sites.iter().map(|site| (site.site.as_str(), share(site))).collect();
        sites.retain(|(_, share)| *share >= 0.0005);
        sites.sort_by(|a, b| b.1.total_cmp(&a.1));
        let told: Vec<String> = sites
            .iter()
            .take(3)
            .map(|(site, share)| format!("{site} {:.1}", share * 100.0))
            .collect();
        let rest = if sites.len() > 3 { ", ..." } else { "" };
        format!("{}{rest}", told.join(", "))
    };
    (told(|site| site.before), told(|site| site.after))
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().copied());
    for (column, title) in table.column_iter_mut().zip(head) {
        let is_text = ["site", "from", "to", "country"].contains(title)
            || (head[0] == "country" && ["before", "after"].contains(title));
        column.set_cell_alignment(if is_text { CellAlignment::Left } else { CellAlignment::Right });
    }
    table
}

fn indented(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    table.lines().try_for_each(|line| writeln!(f, "   {}", line.trim_end()))
}
