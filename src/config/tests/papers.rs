//! The template and the manual say what the reader does.

use super::*;

const TEMPLATE: &str = include_str!("../../../meridian.toml");
const MANUAL: &str = include_str!("../../../docs/configuration.md");

fn must_read(text: &str) -> Spec {
    match read_octets(text) {
        Ok(spec) => spec,
        Err(errors) => panic!("{}", errors.render(Dress::Plain)),
    }
}

/// The template with every commented-out key set.
fn everything_set() -> String {
    let is_key = |line: &str| line.starts_with('#') && line.as_bytes().get(1) != Some(&b' ');
    let set = |line: &str| match is_key(line) && line.len() > 1 {
        true => line[1..].to_owned(),
        false => line.to_owned(),
    };
    TEMPLATE.lines().map(|line| set(line) + "\n").collect()
}

#[test]
fn the_template_reads() {
    let spec = must_read(TEMPLATE);
    assert_eq!(spec.services.len(), 5);
    assert_eq!(spec.zones[0].file.value, Path::new("etc/zones/example.com.zone"));
}

#[test]
fn the_template_reads_with_every_key_set() {
    must_read(&everything_set());
}

#[test]
fn every_key_is_in_the_template_and_the_manual() {
    let template = everything_set();
    let known = Reading::of(&Source::new("meridian.toml", template.clone())).known_keys;
    assert!(known.len() > 80, "{known:?}");
    for (section, key) in &known {
        let part = section_of_template(&template, section);
        let is_table = template.contains(&format!("[{section}{key}"));
        // A table below one that has a name of its own.
        let is_table =
            is_table || (*section == "service.NAME" && template.contains(&format!(".{key}]")));
        let is_list_of_tables = template.contains(&format!("[[{section}.{key}]]"));
        let is_key = part.contains(&format!("\n{key} = ")) || part.contains(&format!(" {key} = "));
        assert!(is_key || is_table || is_list_of_tables, "meridian.toml lacks {section}.{key}");
        let in_manual = match *section {
            "" => MANUAL.contains(&format!("`[{key}")) || MANUAL.contains(&format!("`[[{key}")),
            _ => section_of_manual(section).contains(&format!("\n| `{key}` |")),
        };
        assert!(in_manual, "docs/configuration.md lacks {section}.{key}");
    }
}

/// The parts of the template that may hold a section's keys.
fn section_of_template(template: &str, section: &str) -> String {
    let header = match section {
        "zone[]" => "[[zone]]",
        "listener[]" => "[[listener]]",
        "webhook[]" => "[[webhook]]",
        "geoip.override[]" => "[[geoip.override]]",
        "geoip.source[]" => "[[geoip.source]]",
        "admin.token[]" => "[[admin.token]]",
        section if section.starts_with("service.NAME") => "[service.",
        section if section.starts_with("check.NAME") => "[check.",
        "geo_map.NAME.rules[]" => "[geo_map.",
        section => &format!("[{}", section.replace("NAME", "")),
    };
    let parts = template.split("\n[").map(|part| format!("[{part}"));
    parts.filter(|part| part.starts_with(header)).collect()
}

/// The part of the manual under the heading of a section.
fn section_of_manual(section: &str) -> &'static str {
    let heading = match section {
        "zone[]" => "[[zone]]".to_owned(),
        "listener[]" => "[[listener]]".to_owned(),
        "webhook[]" => "[[webhook]]".to_owned(),
        "geoip.override[]" => "[[geoip.override]]".to_owned(),
        "geoip.source[]" => "[[geoip.source]]".to_owned(),
        "admin.token[]" => "[[admin.token]]".to_owned(),
        "service.NAME.endpoints[]" => "Endpoints".to_owned(),
        "service.NAME.ttl" => "TTL".to_owned(),
        "service.NAME.capacity.SITE" => "Capacity".to_owned(),
        "service.NAME.sticky" => "Sticky".to_owned(),
        "check.NAME.damping" => "Damping".to_owned(),
        "geo_map.NAME.rules[]" => "Rules".to_owned(),
        "check.NAME.load" => "Load".to_owned(),
        "check.NAME.weight_from" => "Weight".to_owned(),
        section => format!("[{section}]"),
    };
    let title = format!("# `{heading}`");
    let plain = format!("# {heading}");
    let start = MANUAL.find(&title).or_else(|| MANUAL.find(&plain));
    let rest = &MANUAL[start.unwrap_or_else(|| panic!("no heading for {heading}"))..];
    let end = rest[1..].find("\n## ").map_or(rest.len(), |at| at + 1);
    &rest[..end]
}

#[test]
fn the_examples_of_the_manual_are_toml() {
    let blocks: Vec<&str> =
        MANUAL.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty());
    let whole: String = blocks.concat();
    must_read(&whole);
}
