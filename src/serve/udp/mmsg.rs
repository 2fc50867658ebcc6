//! The one unsafe module of the crate: batches of datagrams in one system call each way.
//!
//! A safe face over `recvmmsg`, `sendmmsg`, `sendmsg` and a closed set of integer socket
//! options. It decides nothing about the datagrams. What must hold:
//!
//! 1. Every pointer handed to the kernel is made from a `&mut` to a buffer right before the
//!    call and dies with it. The memory of the headers is used again, but nothing in it is
//!    read before it is written anew, so a [`Batch`] may be moved and a reply buffer may grow.
//! 2. The lengths beside the pointers are those of the buffers. The kernel overwrites
//!    `msg_namelen`, `msg_controllen` and `msg_flags`, so each call has its headers made anew.
//! 3. `received` slots, and no others, hold what the last receive brought; `length` never
//!    exceeds the buffer, as `MSG_TRUNC` is not asked for in the flags.
//! 4. The kernel aligns a control message like `cmsghdr`; [`Control`] has at least that
//!    alignment, and its payload is read and written unaligned.

#![allow(unsafe_code)]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;

use libc::{c_int, c_uint, in_pktinfo, in6_pktinfo, iovec, mmsghdr, msghdr, sockaddr_storage};

/// Datagrams per system call. More gains little: at 32 the call itself is already a small
/// part of what the network stack does per datagram.
pub(super) const BATCH: usize = 32;

/// Datagrams asked for where few came last. A header is made for each, which would be half of
/// what a call costs here if it were always for a whole batch.
const FEW: usize = 8;

/// Octets of a query that are kept; longer ones are reported as truncated.
pub(super) const QUERY_OCTETS: usize = 4096;

/// Room for one `IP_PKTINFO` (32 octets) or `IPV6_PKTINFO` (40) with its header.
#[repr(C, align(8))]
struct Control([u8; 64]);

/// Where a reply must leave from, as learnt from the query's packet information.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReplyFrom {
    /// The kernel chooses: the socket is bound to one address, or was asked by multicast.
    Any,
    V4(Ipv4Addr),
    /// `interface` is 0 but for link-local addresses, which mean nothing without one.
    V6 {
        address: Ipv6Addr,
        interface: c_uint,
    },
}

struct Slot {
    query: [u8; QUERY_OCTETS],
    length: usize,
    truncated: bool,
    name: sockaddr_storage,
    name_length: libc::socklen_t,
    control: Control,
    reply_from: ReplyFrom,
    reply: Vec<u8>,
}

/// One datagram received, and the buffer for its reply.
pub(super) struct Datagram<'a> {
    pub(super) query: &'a [u8],
    /// Where it came from; port 0 of the unspecified address if the kernel did not say.
    pub(super) peer: SocketAddr,
    /// Whether the datagram was longer than `query`.
    pub(super) truncated: bool,
    /// Empty; what is in it when [`Batch::send`] is called is sent, unless still empty.
    pub(super) reply: &'a mut Vec<u8>,
}

/// What became of the replies of one batch.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) sent: usize,
    pub(super) failed: usize,
    pub(super) first_error: Option<io::Error>,
}

/// Whether a receive waits for the first datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Until one comes or the socket's receive timeout is over.
    ForFirst,
    No,
}

/// Buffers for a batch of datagrams, reused for ever.
pub(super) struct Batch {
    slots: Box<[Slot]>,
    received: usize,
    /// How many the next receive asks for.
    width: usize,
    headers: Box<[mmsghdr]>,
    vectors: Box<[iovec]>,
}

impl Batch {
    /// Allocates all buffers; `reply_octets` is how far a reply buffer is filled without
    /// growing.
    pub(super) fn new(reply_octets: usize) -> Self {
        let slot = || Slot {
            query: [0; QUERY_OCTETS],
            length: 0,
            truncated: false,
            // SAFETY: all zeros is a valid sockaddr_storage (family AF_UNSPEC).
            name: unsafe { zeroed() },
            name_length: 0,
            control: Control([0; 64]),
            reply_from: ReplyFrom::Any,
            reply: Vec::with_capacity(reply_octets),
        };
        let vector = iovec { iov_base: null_mut(), iov_len: 0 };
        Self {
            slots: (0..BATCH).map(|_| slot()).collect(),
            received: 0,
            width: FEW,
            // SAFETY: mmsghdr is integers and pointers; all zeros is a valid value.
            headers: (0..BATCH).map(|_| unsafe { zeroed() }).collect(),
            vectors: [vector; BATCH].into(),
        }
    }

    /// Receives up to [`BATCH`] datagrams, as many as are queued, and forgets the last batch.
    ///
    /// Returns 0 when none came in time or a signal interrupted.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>, wait: Wait) -> io::Result<usize> {
        self.received = 0;
        let headers = &mut self.headers[..self.width];
        for ((slot, vector), header) in
            self.slots.iter_mut().zip(&mut self.vectors).zip(&mut *headers)
        {
            vector.iov_base = slot.query.as_mut_ptr().cast();
            vector.iov_len = slot.query.len();
            let header = &mut header.msg_hdr;
            header.msg_name = (&raw mut slot.name).cast();
            header.msg_namelen = size_of::<sockaddr_storage>() as _;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            header.msg_control = slot.control.0.as_mut_ptr().cast();
            header.msg_controllen = slot.control.0.len() as _;
        }
        let flags = match wait {
            Wait::ForFirst => libc::MSG_WAITFORONE,
            Wait::No => libc::MSG_DONTWAIT,
        };
        let asked = headers.len();
        // SAFETY: `headers` are so many valid headers whose pointers and lengths are those of
        // buffers borrowed mutably from `self`, alive over the call.
        let count = unsafe {
            let (headers, no_timeout) = (headers.as_mut_ptr(), null_mut());
            libc::recvmmsg(socket.as_raw_fd(), headers, asked as c_uint, flags as _, no_timeout)
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            };
        }
        self.received = (count as usize).min(asked);
        self.width = (2 * self.received).clamp(FEW, BATCH);
        for (slot, header) in self.slots.iter_mut().zip(&self.headers).take(self.received) {
            slot.length = (header.msg_len as usize).min(QUERY_OCTETS);
            slot.truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
            slot.name_length = header.msg_hdr.msg_namelen;
            slot.reply_from = reply_from(&header.msg_hdr);
            slot.reply.clear();
        }
        Ok(self.received)
    }

    /// The datagrams of the last receive.
    pub(super) fn datagrams(&mut self) -> impl Iterator<Item = Datagram<'_>> {
        self.slots[..self.received].iter_mut().map(|slot| Datagram {
            peer: socket_address(&slot.name, slot.name_length),
            query: &slot.query[..slot.length],
            truncated: slot.truncated,
            reply: &mut slot.reply,
        })
    }

    /// Sends every reply that is not empty back to where its query came from.
    ///
    /// A reply the kernel refuses is skipped and counted; the others still go.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        let replying = self.slots[..self.received].iter_mut().filter(|slot| !slot.reply.is_empty());
        let mut count = 0;
        for ((slot, vector), header) in replying.zip(&mut self.vectors).zip(&mut self.headers) {
            vector.iov_base = slot.reply.as_mut_ptr().cast();
            vector.iov_len = slot.reply.len();
            let header = &mut header.msg_hdr;
            header.msg_name = (&raw mut slot.name).cast();
            header.msg_namelen = slot.name_length;
            header.msg_iov = vector;
            header.msg_iovlen = 1;
            write_reply_from(header, &mut slot.control, slot.reply_from);
            count += 1;
        }
        // What was sent must not be sent again by a second call.
        self.received = 0;
        send_all(socket, &mut self.headers[..count])
    }
}

/// Hands `headers` to the kernel until each is sent or refused.
fn send_all(socket: BorrowedFd<'_>, headers: &mut [mmsghdr]) -> Sent {
    let mut result = Sent::default();
    let mut rest = headers;
    while !rest.is_empty() {
        let sent = match &mut *rest {
            // SAFETY: the header's pointers were made by `Batch::send`, from buffers it holds
            // borrowed until this function returns.
            [only] => match unsafe { libc::sendmsg(socket.as_raw_fd(), &only.msg_hdr, 0) } {
                -1 => -1,
                _ => 1,
            },
            // SAFETY: as above, for `many.len()` headers.
            many => unsafe {
                libc::sendmmsg(socket.as_raw_fd(), many.as_mut_ptr(), many.len() as c_uint, 0)
            },
        };
        // The kernel stops at the first datagram it cannot send and tells why only when that
        // one is the first of a call. So an error always concerns `rest[0]`.
        let done = if sent > 0 {
            result.sent += sent as usize;
            sent as usize
        } else {
            let error = io::Error::last_os_error();
            if error.kind() == io::ErrorKind::Interrupted {
                continue;
            }
            result.failed += 1;
            result.first_error.get_or_insert(error);
            1
        };
        rest = &mut rest[done..];
    }
    result
}

/// Reads the packet information of a received datagram, if it has any.
fn reply_from(header: &msghdr) -> ReplyFrom {
    // SAFETY: the kernel has set msg_controllen to what it wrote to msg_control, whole
    // cmsghdrs with the length of their payload; each payload is read only where it is at
    // least as long as the type read.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null() {
            return ReplyFrom::Any;
        }
        let kind = ((*message).cmsg_level, (*message).cmsg_type);
        let length = (*message).cmsg_len as usize;
        let data = libc::CMSG_DATA(message);
        match kind {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) if length >= control_length::<in_pktinfo>() => {
                let info: in_pktinfo = data.cast::<in_pktinfo>().read_unaligned();
                // ipi_spec_dst, not ipi_addr: for a query to a broadcast address it is the
                // local address to reply from (ip(7)).
                ReplyFrom::V4(Ipv4Addr::from(u32::from_be(info.ipi_spec_dst.s_addr)))
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO)
                if length >= control_length::<in6_pktinfo>() =>
            {
                let info: in6_pktinfo = data.cast::<in6_pktinfo>().read_unaligned();
                let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                if address.is_multicast() {
                    return ReplyFrom::Any;
                }
                let link_local = address.is_unicast_link_local();
                ReplyFrom::V6 { address, interface: if link_local { info.ipi6_ifindex } else { 0 } }
            }
            _ => ReplyFrom::Any,
        }
    }
}

/// Points `header` at a control message in `control` that says where the reply leaves from.
fn write_reply_from(header: &mut msghdr, control: &mut Control, from: ReplyFrom) {
    match from {
        ReplyFrom::Any => (header.msg_control, header.msg_controllen) = (null_mut(), 0),
        ReplyFrom::V4(address) => {
            let info = in_pktinfo {
                // 0: the routing table picks the interface, which may not be the query's.
                ipi_ifindex: 0,
                ipi_spec_dst: libc::in_addr { s_addr: u32::from(address).to_be() },
                ipi_addr: libc::in_addr { s_addr: 0 },
            };
            write_control(header, control, (libc::IPPROTO_IP, libc::IP_PKTINFO), info);
        }
        ReplyFrom::V6 { address, interface } => {
            let info = in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                ipi6_ifindex: interface,
            };
            write_control(header, control, (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), info);
        }
    }
}

fn write_control<T: Copy>(
    header: &mut msghdr,
    control: &mut Control,
    (level, kind): (c_int, c_int),
    payload: T,
) {
    // SAFETY: CMSG_SPACE only computes.
    let space = unsafe { libc::CMSG_SPACE(size_of::<T>() as c_uint) } as usize;
    assert!(space <= control.0.len(), "a control buffer holds either kind of packet information");
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = space as _;
    // SAFETY: msg_control is aligned for cmsghdr and, by the assertion, long enough for one
    // with a T behind it, so CMSG_FIRSTHDR is not null and the writes stay inside.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = control_length::<T>() as _;
        libc::CMSG_DATA(message).cast::<T>().write_unaligned(payload);
    }
}

/// The length field of a control message with a `T` in it.
const fn control_length<T>() -> usize {
    // SAFETY: CMSG_LEN only computes.
    unsafe { libc::CMSG_LEN(size_of::<T>() as c_uint) as usize }
}

/// The address in `name`, or port 0 of the unspecified one where it holds none.
fn socket_address(name: &sockaddr_storage, length: libc::socklen_t) -> SocketAddr {
    let length = length as usize;
    match c_int::from(name.ss_family) {
        libc::AF_INET if length >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: a sockaddr_storage is large and aligned enough for a sockaddr_in, which
            // the family says it holds; every bit pattern is a valid one.
            let v4 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in>() };
            let address = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            SocketAddrV4::new(address, u16::from_be(v4.sin_port)).into()
        }
        libc::AF_INET6 if length >= size_of::<libc::sockaddr_in6>() => {
            // SAFETY: as above, for sockaddr_in6.
            let v6 = unsafe { &*(&raw const *name).cast::<libc::sockaddr_in6>() };
            let address = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            let port = u16::from_be(v6.sin6_port);
            SocketAddrV6::new(address, port, v6.sin6_flowinfo, v6.sin6_scope_id).into()
        }
        _ => (IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0).into(),
    }
}

/// The integer socket options that socket2 does not offer.
#[derive(Debug, Clone, Copy)]
pub(super) enum IntOption {
    /// `IP_PKTINFO`, `IPV6_RECVPKTINFO`: tell which local address a datagram came to.
    PacketInfoV4,
    PacketInfoV6,
    /// `IP_MTU_DISCOVER`, `IPV6_MTU_DISCOVER`.
    MtuDiscoverV4,
    MtuDiscoverV6,
    /// `SO_RCVBUFFORCE`, `SO_SNDBUFFORCE`: beyond the system's maximum, with CAP_NET_ADMIN.
    ReceiveBufferForce,
    SendBufferForce,
}

/// Sets an integer socket option.
pub(super) fn set_option(
    socket: BorrowedFd<'_>,
    option: IntOption,
    value: c_int,
) -> io::Result<()> {
    let (level, name) = match option {
        IntOption::PacketInfoV4 => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        IntOption::PacketInfoV6 => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
        IntOption::MtuDiscoverV4 => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER),
        IntOption::MtuDiscoverV6 => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER),
        IntOption::ReceiveBufferForce => (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE),
        IntOption::SendBufferForce => (libc::SOL_SOCKET, libc::SO_SNDBUFFORCE),
    };
    let length = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: each of these options reads one c_int, which `value` is, for the call only.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
#[path = "mmsg_tests.rs"]
mod tests;
