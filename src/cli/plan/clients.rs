//! Lists of clients: what somebody counted, or the query log.
//!
//! | a line | is |
//! |---|---|
//! | `203.0.113.9`, `2001:db8::/56` | a client, as Client Subnet tells it |
//! | `203.0.113.0/24 1200` | one that has asked so often |
//! | `{"client": "203.0.113.0/24", ...}` | a query; other fields do not matter |
//! | empty, or begins with `#` | nothing |

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;

use crate::catalog::Catalog;
use crate::explain::Client;
use crate::forecast::ListedClient;
use crate::geo::Networks;

/// What standard input is called.
const STDIN: &str = "-";

/// Reads a list; whom a client is decided as is up to the catalog, as it is when queries come.
pub(super) fn read(
    path: &Path,
    catalog: &Catalog,
    networks: &Networks,
) -> Result<Vec<ListedClient>, anyhow::Error> {
    let mut text = String::new();
    match path.as_os_str() == STDIN {
        true => io::stdin().read_to_string(&mut text).map(drop),
        false => fs::read_to_string(path).map(|content| text = content),
    }
    .with_context(|| format!("cannot read {}", path.display()))?;
    let counts = counted(&text).with_context(|| path.display().to_string())?;
    if counts.is_empty() {
        bail!("{}: there is no client in it", path.display());
    }
    let listed = counts.into_iter().map(|(client, count)| {
        let (client, _) = client.decided_for(catalog);
        ListedClient { client, count, country: networks.country(client.address) }
    });
    Ok(listed.collect())
}

/// How often each client comes in a text.
fn counted(text: &str) -> Result<BTreeMap<Client, f64>, anyhow::Error> {
    let mut counts = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (client, count) = client_in(line).with_context(|| format!("line {number}"))?;
        *counts.entry(client).or_default() += count;
    }
    Ok(counts)
}

fn client_in(line: &str) -> Result<(Client, f64), anyhow::Error> {
    #[derive(Deserialize)]
    struct Query {
        client: String,
    }
    if line.starts_with('{') {
        let query: Query = serde_json::from_str(line)?;
        return Ok((network(&query.client)?, 1.0));
    }
    let mut words = line.split_whitespace();
    let client = network(words.next().unwrap_or_default())?;
    let count = words.next().map(|word| {
        let count = word.parse::<f64>().ok().filter(|count| count.is_finite() && *count >= 0.0);
        count.ok_or_else(|| anyhow!("`{word}` is no count"))
    });
    match words.next() {
        Some(more) => bail!("`{more}` is too much: a client and a count are expected"),
        None => Ok((client, count.transpose()?.unwrap_or(1.0))),
    }
}

fn network(text: &str) -> Result<Client, anyhow::Error> {
    text.parse().map_err(|reason| anyhow!("`{text}` is no client: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients and their counts, or what the error says.
    fn check(text: &str, expected: Result<&[(&str, f64)], &str>) {
        let found = counted(text).map_err(|error| format!("{error:#}"));
        match (found, expected) {
            (Ok(found), Ok(expected)) => {
                let expected = expected.iter().map(|(client, n)| (client.parse().unwrap(), *n));
                assert_eq!(found, expected.collect(), "{text}");
            }
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{text}: {found}"),
            (found, expected) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn lines_are_clients_counts_or_queries() {
        check("", Ok(&[]));
        check(
            "# of yesterday\n\n 192.0.2.1\n192.0.2.0/24 10\n2001:db8::/56\t0.5\n192.0.2.1 2\n",
            Ok(&[("192.0.2.0/24", 10.0), ("192.0.2.1", 3.0), ("2001:db8::/56", 0.5)]),
        );
        check(
            "{\"qname\":\"www.example.com\",\"client\":\"192.0.2.0/24\",\"ttl\":30}\n\
             {\"client\":\"2001:db8::1\"}\n",
            Ok(&[("192.0.2.0/24", 1.0), ("2001:db8::1", 1.0)]),
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        check("192.0.2.1\nexample.com\n", Err("line 2: `example.com` is no client"));
        check("192.0.2.1/33", Err("a length from 0 to 32"));
        check("192.0.2.1 many", Err("`many` is no count"));
        check("192.0.2.1 -1", Err("`-1` is no count"));
        check("192.0.2.1 1 2", Err("`2` is too much"));
        check("{\"qname\":\"x\"}", Err("missing field `client`"));
    }
}
