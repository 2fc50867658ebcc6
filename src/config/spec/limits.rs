//! Who may ask, and how much: `allow_query`, `[[listener]]` and `[rate_limit]`.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::problem::Problem;
use crate::config::table::{Read, Table, Value};
use crate::config::unique::Unique;
use crate::config::value::{
    all, bare, boolean, distinct, integer, non_empty, one_or_many, prefix, socket_address,
    span_of_time, spanned,
};
use crate::guard::{AccessList, Limits, Rate};
use crate::model::Prefix;

/// `[[listener]]`: what holds for one listen address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerSpec {
    /// One of `server.listen`.
    pub address: SocketAddr,
    /// Whose queries are taken there.
    pub allow_query: AccessList,
}

impl ListenerSpec {
    /// Reads all of them; `listen` is `server.listen`, where that could be read.
    pub(super) fn read_all(root: &mut Table<'_>, listen: Option<&[SocketAddr]>) -> Read<Vec<Self>> {
        let mut unique = Unique::new();
        let tables = root.repeated("listener", "listener[]")?;
        all(tables.into_iter().map(|table| Self::read(table?, listen, &mut unique)))
    }

    fn read(
        mut table: Table<'_>,
        listen: Option<&[SocketAddr]>,
        unique: &mut Unique<SocketAddr>,
    ) -> Read<Self> {
        let address = table.required("address", |value| {
            let address = spanned(socket_address)(value)?;
            unique.admit(value.reader, &address, &address.to_string())?;
            is_listened_on(value, address.value, listen)
        });
        let allow_query = table.required("allow_query", access_list);
        table.finish()?;
        Ok(Self { address: address?, allow_query: allow_query? })
    }
}

fn is_listened_on(
    value: &Value<'_>,
    address: SocketAddr,
    listen: Option<&[SocketAddr]>,
) -> Read<SocketAddr> {
    match listen {
        Some(listen) if !listen.contains(&address) => {
            let known = listen.iter().map(SocketAddr::to_string).collect();
            Err(value.refuse(Problem::NotListenedOn { address: address.to_string(), known }))
        }
        _ => Ok(address),
    }
}

/// Networks, at least one, none twice.
pub(super) fn access_list(value: &Value<'_>) -> Read<AccessList> {
    non_empty("network", networks)(value).map(AccessList::new)
}

fn networks(value: &Value<'_>) -> Read<Vec<Prefix>> {
    distinct(Prefix::to_string, one_or_many(spanned(prefix)))(value).map(bare)
}

/// `[rate_limit]`: how many responses over UDP a client's network may draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimitSpec {
    /// The limits.
    pub limits: Limits,
    /// Buckets in memory.
    pub table_size: usize,
}

impl RateLimitSpec {
    /// `None` without `responses_per_second`, which all the rest needs.
    pub(super) fn read(root: &mut Table<'_>) -> Read<Option<Self>> {
        let mut table = root.section("rate_limit")?;
        let has_keys = !table.is_empty();
        let per_second = |table: &mut Table<'_>, key| {
            let read = table.optional(key, integer(1_u32..=1_000_000));
            read.map(|number| number.and_then(NonZeroU32::new))
        };
        let responses = per_second(&mut table, "responses_per_second");
        let by_class = [
            "nodata_per_second",
            "nxdomains_per_second",
            "referrals_per_second",
            "errors_per_second",
        ]
        .map(|key| per_second(&mut table, key));
        let all = per_second(&mut table, "all_per_second");
        let window_range = Duration::from_secs(1)..=Duration::from_secs(60);
        let window = table.or("window", Duration::from_secs(5), span_of_time(window_range));
        let slip = table.or("slip", 2, integer(0_u8..=100));
        let ipv4_prefix = table.or("ipv4_prefix", 24, integer(1_u8..=32));
        let ipv6_prefix = table.or("ipv6_prefix", 56, integer(1_u8..=128));
        let exempt = table.or("exempt", Vec::new(), networks);
        let log_only = table.or("log_only", false, boolean);
        let table_size = table.or("table_size", 65_536, integer(1_024_u32..=16_777_216));
        if has_keys && matches!(responses, Ok(None)) {
            table.refuse(Problem::MissingKey { key: "responses_per_second" });
        }
        table.finish()?;
        let Some(responses) = responses? else { return Ok(None) };
        let window = window?;
        let rate = |per_second| Rate::new(per_second, window);
        let [nodata, nxdomains, referrals, errors] = by_class;
        let per_class = [Some(responses), nodata?, nxdomains?, referrals?, errors?];
        let limits = Limits {
            per_class: per_class.map(|given| rate(given.unwrap_or(responses))),
            all: all?.map(rate),
            slip: slip?,
            ipv4_prefix: ipv4_prefix?,
            ipv6_prefix: ipv6_prefix?,
            exempt: AccessList::new(exempt?),
            log_only: log_only?,
        };
        Ok(Some(Self { limits, table_size: table_size? as usize }))
    }
}
