//! What can be wrong with a database.

use maxminddb::MaxMindDbError;
use thiserror::Error;

/// Why a database cannot be used. `database` is the name it was opened under.
#[derive(Debug, Error)]
pub enum GeoError {
    /// The bytes are no MMDB file, or one that was cut short.
    #[error("{database}: a complete MaxMind DB file (format 2, .mmdb) is expected: {source}")]
    NotADatabase { database: String, source: MaxMindDbError },
    /// The search tree leads nowhere.
    #[error("{database}: the search tree is damaged, fetch the file again: {source}")]
    DamagedTree { database: String, source: MaxMindDbError },
    /// The search tree has more branches than its nodes can hold: it joins itself again.
    #[error(
        "{database}: the search tree is damaged, fetch the file again: \
         over {limit} branches on {nodes} nodes"
    )]
    EndlessTree { database: String, limit: u64, nodes: u32 },
    /// A record cannot be read.
    #[error(
        "{database}: the record of {network} is damaged, a map of names to values is expected: \
         {source}"
    )]
    DamagedRecord { database: String, network: String, source: MaxMindDbError },
}
