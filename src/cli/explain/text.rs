//! The explanation for people.

use std::fmt;

use crate::explain::{RankedBy, Report};

/// Shows a report as text.
pub(super) struct Text<'r>(pub(super) &'r Report);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        writeln!(f, "{} {} for {}", report.name, report.qtype, report.client)?;
        writeln!(f)?;
        field(f, "zone", report.zone.as_deref().unwrap_or("none"))?;
        if report.path.len() > 1 {
            field(f, "aliases", &report.path.join(" -> "))?;
        }
        if let (Some(service), Some(policy)) = (&report.service, &report.policy) {
            field(f, "service", &format!("{service}, policy {policy}"))?;
            field(f, "location", &location(report))?;
            if let Some(rule) = &report.rule {
                field(f, "rule", rule)?;
            }
            field(f, "health", &report.health_source)?;
        }
        ranking(f, report)?;
        candidates(f, report)?;
        writeln!(f)?;
        field(f, "because", &report.reason)?;
        if let Some(next) = &report.next {
            let to = match next.name == report.name {
                true => format!("service {}", next.service.as_deref().unwrap_or_default()),
                false => format!("{}, which is ours", next.name),
            };
            field(f, "leads to", &to)?;
        }
        answer(f, report)?;
        match &report.next {
            Some(next) => write!(f, "\nthere, {}", Text(next)),
            None => Ok(()),
        }
    }
}

fn field(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:<10} {value}")
}

fn location(report: &Report) -> String {
    if let Some(network) = &report.site_order_override {
        return format!("of no matter: geoip.override sets the order of sites for {network}");
    }
    let Some(at) = &report.location else {
        return match report.ranking.is_empty() {
            true => "unknown".to_owned(),
            false => "unknown: the default order counts".to_owned(),
        };
    };
    let place: Vec<&str> = at.city.iter().chain(&at.country).map(String::as_str).collect();
    let middle = if at.is_country_centroid { " (the middle of the country)" } else { "" };
    format!(
        "{:.2}, {:.2} {}{middle}, says {} for {}",
        at.latitude,
        at.longitude,
        place.join(", "),
        at.source,
        at.network
    )
}

fn ranking(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    if report.ranking.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n  ranking")?;
    for ranked in &report.ranking {
        write!(f, "    {:>2}. {:<20}", ranked.step, ranked.site)?;
        if let (Some(km), Some(shaped)) = (ranked.distance_km, ranked.shaped_km) {
            write!(f, " {km:>9.1} km")?;
            if (km - shaped).abs() >= 0.1 {
                write!(f, ", counted as {shaped:.1} km")?;
            }
        }
        match ranked.by {
            RankedBy::Rule => write!(f, "  by the rule")?,
            RankedBy::Measurement => write!(f, "  as measured")?,
            RankedBy::Distance => {}
        }
        writeln!(f)?;
    }
    Ok(())
}

fn candidates(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    if report.candidates.is_empty() {
        return Ok(());
    }
    writeln!(f, "\n  candidates")?;
    for candidate in &report.candidates {
        write!(
            f,
            "    {:<24} {:<16} weight {:<4} tier {:<2} {:<9} ",
            candidate.endpoint, candidate.site, candidate.weight, candidate.tier, candidate.health
        )?;
        match &candidate.removed_by {
            Some(step) => writeln!(f, "out: {step}")?,
            None if candidate.share > 0.0 => writeln!(f, "{:.1} %", candidate.share * 100.0)?,
            None => writeln!(f, "not chosen")?,
        }
    }
    Ok(())
}

fn answer(f: &mut fmt::Formatter<'_>, report: &Report) -> fmt::Result {
    match report.choice.is_empty() {
        true if report.service.is_none() => return field(f, "answer", &report.rcode),
        true => field(f, "answer", &format!("{}, no records", report.rcode))?,
        false => field(f, "answer", &report.choice.join(", "))?,
    }
    if report.rotates {
        field(f, "", "(the first turn; answers rotate by the shares above)")?;
    }
    if let Some(ttl) = report.ttl {
        field(f, "ttl", &format!("{ttl} s"))?;
    }
    match report.scope {
        0 => field(f, "scope", "/0: the same for everybody"),
        scope => field(f, "scope", &format!("/{scope}: every client in that network gets this")),
    }
}
