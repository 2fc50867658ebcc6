//! How a query is received: what its OPT gets in return, and whether it must prove itself.
//!
//! | the query has | the reply's OPT has |
//! |---|---|
//! | no OPT | there is none |
//! | NSID | our identity, unless it is hidden |
//! | a cookie, and cookies are on | the cookie with our half |
//! | keepalive, over TCP | how long the connection may be idle |
//!
//! A query over UDP whose cookie is not proven gets BADCOOKIE where cookies are required (RFC
//! 7873, section 5.2.3): the client comes back with the one it finds in the reply. One without a
//! cookie is from a client that knows none, and is answered.

use crate::catalog::Cookies;
use crate::model::Transport;
use crate::wire::{Cookie, Edns, Proof, Rcode, ReplyOpt};

use super::Visit;

/// What the OPT of a query comes to.
pub(super) struct Reception<'a> {
    /// The OPT to answer with.
    pub(super) opt: Option<ReplyOpt<'a>>,
    /// What the cookie proves, if there is one and cookies are on.
    pub(super) proof: Option<Proof>,
    /// Whether there is nothing but BADCOOKIE for this query.
    pub(super) must_prove_itself: bool,
}

impl<'a> Reception<'a> {
    /// No OPT, and no answer to it.
    pub(super) fn plain() -> Self {
        Self { opt: None, proof: None, must_prove_itself: false }
    }

    /// Takes in the OPT of a query.
    pub(super) fn take(&mut self, edns: &'a Edns<'_>, visit: &Visit<'a>) {
        let settings = visit.settings();
        let opt = self.opt.insert(ReplyOpt::to(edns, settings.max_udp_payload));
        if edns.wants_nsid
            && let Some(identity) = identity(visit)
        {
            opt.set_nsid(identity);
        }
        if edns.wants_keepalive && visit.transport == Transport::Tcp {
            opt.set_keepalive(settings.tcp_idle_timeout);
        }
        if let Some(cookie) = &edns.cookie
            && settings.cookies.enabled
        {
            self.check(cookie, visit);
        }
    }

    /// Checks a cookie, and answers it.
    fn check(&mut self, cookie: &Cookie<'_>, visit: &Visit<'a>) {
        let Cookies { secrets, required, .. } = &visit.settings().cookies;
        let instance = visit.instance;
        let secrets = secrets.as_ref().unwrap_or(&instance.cookie_secrets);
        let checked = cookie.check(visit.peer, (instance.unix_seconds)(), secrets);
        if let Some(opt) = &mut self.opt {
            opt.set_cookie(&checked);
        }
        self.proof = Some(checked.proof);
        let is_unproven = checked.proof != Proof::Valid;
        self.must_prove_itself = *required && is_unproven && visit.transport == Transport::Udp;
    }

    /// The code of a message that is answered without a lookup. One that only asks about its
    /// cookie learns by the code whether that is good (RFC 7873, section 5.4).
    pub(super) fn code_of(&self, rcode: Rcode) -> Rcode {
        match (rcode, self.proof) {
            (Rcode::NoError, Some(Proof::Wrong)) => Rcode::BadCookie,
            // A cookie alone is no message that we know, where cookies are off.
            (Rcode::NoError, None) => Rcode::FormErr,
            _ => rcode,
        }
    }
}

/// Who says so: as configured, else the host. Nothing if that is hidden.
pub(super) fn identity<'a>(visit: &Visit<'a>) -> Option<&'a [u8]> {
    let identity = match &visit.settings().identity {
        Some(configured) => configured.as_bytes(),
        None => &visit.instance.hostname,
    };
    (!identity.is_empty()).then_some(identity)
}
