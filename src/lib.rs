//! Meridian, an authoritative DNS server for global server load balancing.

#![deny(unsafe_code)]

pub mod model;
