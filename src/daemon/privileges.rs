//! Who the server runs as: nobody with more than it needs.
//!
//! A port below 1024 takes one capability and no more. The program drops nothing itself: whoever
//! starts it can, before a line of it runs.

use tracing::warn;

/// The user IDs of this process's namespace, as those outside see them (user_namespaces(7)).
const ID_MAP: &str = "/proc/self/uid_map";

/// Warns when the process could do anything to the machine.
pub(super) fn warn_of_root() {
    let is_root = rustix::process::geteuid().is_root();
    let map = std::fs::read_to_string(ID_MAP).unwrap_or_default();
    if is_root && maps_root_to_itself(&map) {
        warn!(
            "running as root, which nothing here needs: run as a user of its own with \
             CAP_NET_BIND_SERVICE for port 53, as `User=` and `AmbientCapabilities=` do in a \
             systemd unit; see docs/deployment.md"
        );
    }
}

/// Whether user 0 is the machine's own.
fn maps_root_to_itself(map: &str) -> bool {
    // Without a map there are no namespaces.
    map.trim().is_empty()
        || map.lines().any(|line| {
            let mut fields = line.split_whitespace();
            (fields.next(), fields.next()) == (Some("0"), Some("0"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_of_a_namespace_is_not_root() {
        for (map, is_root) in [
            ("         0          0 4294967295\n", true),
            ("", true),
            ("         0       1000          1\n", false),
            ("         0       1000          1\n         1     100000      65536\n", false),
            ("         0     100000      65536\n", false),
            ("      1000       1000          1\n", false),
        ] {
            assert_eq!(maps_root_to_itself(map), is_root, "{map:?}");
        }
    }
}
