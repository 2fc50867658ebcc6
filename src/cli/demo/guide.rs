//! What the demo prints: lines to type, and what they should show.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;

use crate::admin::token_file;

/// A network of a provider in each country, as the shipped database has it.
const CLIENTS: [(&str, &str, &str); 6] = [
    ("the United States", "8.8.8.0/24", "virginia"),
    ("Brazil", "200.160.0.0/24", "sao-paulo"),
    ("Germany", "193.99.144.0/24", "frankfurt"),
    ("South Africa", "196.25.1.0/24", "cape-town"),
    ("Japan", "202.232.2.0/24", "tokyo"),
    ("Australia", "139.130.4.0/24", "sydney"),
];

pub(super) fn print(
    listen: SocketAddr,
    admin: Option<SocketAddr>,
    backends: &[(&str, SocketAddr)],
) -> Result<(), anyhow::Error> {
    let mut text = String::new();
    write(&mut text, listen, admin, backends)?;
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Where the dashboard is, with the token that lets it give orders: whoever sees this is the one
/// who runs the demo.
fn dashboard(admin: SocketAddr) -> String {
    match token_file::read(&token_file::path(None, admin.port())) {
        Ok(token) => format!("http://{admin}/#token={token}"),
        Err(_) => format!("http://{admin}/"),
    }
}

fn write(
    text: &mut String,
    listen: SocketAddr,
    admin: Option<SocketAddr>,
    backends: &[(&str, SocketAddr)],
) -> std::fmt::Result {
    let dig = format!("dig @{} -p {} +short", listen.ip(), listen.port());
    let program = std::env::args().next().unwrap_or_else(|| "meridian".to_owned());
    writeln!(text, "Meridian demo: DNS on {listen}, UDP and TCP. Ctrl-C ends it.\n")?;
    if let Some(admin) = admin {
        writeln!(text, "The dashboard; whoever has this address may drain and force:")?;
        writeln!(text, "  {}\n", dashboard(admin))?;
    }
    writeln!(text, "The nearest site for clients around the world:")?;
    for (country, network, site) in CLIENTS {
        writeln!(text, "  {dig} www.example.com A +subnet={network:<18} # {country}: {site}")?;
    }
    writeln!(text, "  {dig} www.example.com AAAA +tcp +subnet=202.232.2.0/24")?;
    writeln!(text, "\nOther policies, and ordinary records beside them:")?;
    for (question, says) in [
        ("rotate.example.com", "round-robin: each in turn"),
        ("canary.example.com", "weighted: three to one"),
        ("primary.example.com", "failover: the first that is up"),
        ("docs.example.com", "a CNAME to www"),
        ("example.com MX", "a static record"),
    ] {
        writeln!(text, "  {dig} {question:<27} # {says}")?;
    }
    writeln!(text, "\nWhy a client gets what it gets:")?;
    writeln!(text, "  {program} explain --demo www.example.com --client 193.99.144.80")?;
    writeln!(
        text,
        "  {program} explain --demo www.example.com --client 193.99.144.80 --down frankfurt"
    )?;
    writeln!(text, "\nBreak a back end, see it leave the answers within seconds, and mend it:")?;
    let frankfurt = backends.iter().find(|(site, _)| *site == "frankfurt");
    if let Some((_, address)) = frankfurt {
        writeln!(text, "  curl http://{address}/break")?;
        writeln!(text, "  {dig} www.example.com A +subnet=193.99.144.0/24")?;
        writeln!(text, "  curl http://{address}/mend")?;
    }
    if let Some(admin) = admin {
        writeln!(
            text,
            "\nOr drain it, on the dashboard (\"Drain\" beside frankfurt) or from here:"
        )?;
        for (command, says) in [
            ("drain frankfurt --reason maintenance --for 10m", ""),
            ("status", "what is up, what is drained, and why"),
            ("undrain frankfurt", ""),
        ] {
            let says = if says.is_empty() { String::new() } else { format!("   # {says}") };
            writeln!(text, "  {program} {command} --admin {admin}{says}")?;
        }
    }
    writeln!(text, "\nThe back ends (192.0.2.1 to 192.0.2.6 in the answers):")?;
    for (site, address) in backends {
        writeln!(text, "  {site:<10} http://{address}/")?;
    }
    writeln!(text)
}
