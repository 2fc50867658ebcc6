//! Opens what the configuration lists: sockets that were given first, then those that lack.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use super::activation;
use crate::admin::{self, AdminError};
use crate::catalog::Settings;
use crate::serve::{GivenSockets, ListenConfig, Listeners, TcpLimits};

/// How long open TCP connections may go on after the order to stop.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// All sockets of the server.
pub(super) struct Sockets {
    pub(super) listeners: Listeners,
    /// That of the admin side, by the address of the configuration.
    pub(super) admin_socket: Option<(SocketAddr, TcpListener)>,
}

/// Opens them. What is given and not listed is an error, unless a predecessor has given it: that
/// one answers what is queued there, and closes it.
///
/// # Errors
/// When an address cannot be had.
pub(super) fn open(
    settings: &Settings,
    mut given: GivenSockets,
    from_predecessor: bool,
) -> Result<Sockets, anyhow::Error> {
    if !from_predecessor {
        // Before one that is not listed is in the way of another that is.
        let listed: Vec<_> = settings.listen.iter().copied().chain(settings.admin.listen).collect();
        activation::refuse(given.strays(&listed))?;
    }
    let admin_socket = settings.admin.listen.map(|address| {
        let given = given.take_tcp(address).map(TcpListener::from);
        let socket = given.map_or_else(|| admin::bind(address), Ok)?;
        Ok::<_, AdminError>((address, socket))
    });
    let admin_socket = admin_socket.transpose()?;
    let listeners = Listeners::bind_beside(&listen_config(settings), &mut given)?;
    if !from_predecessor {
        activation::refuse(given.left())?;
    }
    Ok(Sockets { listeners, admin_socket })
}

fn listen_config(settings: &Settings) -> ListenConfig {
    ListenConfig {
        addresses: settings.listen.clone(),
        udp_workers: settings.workers,
        pin_udp_workers: settings.pin_workers,
        tcp: TcpLimits {
            idle_timeout: settings.tcp_idle_timeout,
            max_connections: settings.tcp_max_connections,
            max_per_client: settings.tcp_max_connections_per_client,
        },
        stop_grace: STOP_GRACE,
    }
}
