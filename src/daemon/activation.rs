//! Sockets that a service manager opens and passes on at the start (`sd_listen_fds(3)`).
//!
//! They are only collected here: `serve` matches them with the listen addresses.

use std::env;
use std::os::fd::OwnedFd;

use anyhow::{Context, bail};
use listenfd::ListenFd;

use crate::serve::{GivenSocket, GivenSockets};

/// The sockets that were passed on to this process; none if it was started in another way.
///
/// # Errors
/// When one of them is nothing to serve DNS from.
pub(super) fn sockets() -> Result<GivenSockets, anyhow::Error> {
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut listed = ListenFd::from_env();
    let mut given = GivenSockets::default();
    for at in 0..listed.len() {
        let name = names.next().unwrap_or_default();
        let of_udp = listed.take_udp_socket(at).ok().flatten().map(OwnedFd::from);
        let mut of_tcp = || listed.take_tcp_listener(at).map(|socket| socket.map(OwnedFd::from));
        let socket = match of_udp {
            Some(socket) => Some(socket),
            None => of_tcp().ok().flatten(),
        };
        let what =
            || format!("socket {} of those passed on by the service manager (`{name}`)", at + 1);
        match socket {
            Some(socket) => given.add(socket, None).with_context(what)?,
            None => bail!("{} is neither of UDP nor of TCP", what()),
        }
    }
    Ok(given)
}

/// Refuses sockets that no address is listed for: queries would wait in them for ever.
///
/// # Errors
/// When there is any.
pub(super) fn refuse<'a>(
    sockets: impl IntoIterator<Item = &'a GivenSocket>,
) -> Result<(), anyhow::Error> {
    let sockets: Vec<_> = sockets.into_iter().map(ToString::to_string).collect();
    match sockets.is_empty() {
        true => Ok(()),
        false => bail!(
            "the service manager has passed on sockets that are not in the configuration: {}; \
             list them in `server.listen` (or `admin.listen`), or take them out of the socket \
             unit; each address may be there once for TCP",
            sockets.join(", ")
        ),
    }
}
