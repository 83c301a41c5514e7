//! Where a trunk leads, and where its calls come from.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// Least bits of a network: a wider one would let anybody in.
const LEAST_BITS_V4: u8 = 8;
const LEAST_BITS_V6: u8 = 16;

/// A host with or without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    host: Host,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl Place {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Self::new(Host::Address(address.into()), None);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (inner, port) = rest.split_once(']').ok_or_else(|| neither(text))?;
            let address: Ipv6Addr = inner.parse().map_err(|_| neither(text))?;
            let port = match port {
                "" => None,
                port => Some(port.strip_prefix(':').ok_or_else(|| neither(text))?),
            };
            return Self::new(Host::Address(address.into()), port);
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        let host = match host.parse::<Ipv4Addr>() {
            Ok(address) => Host::Address(address.into()),
            Err(_) if is_name(host) => Host::Name(host.to_ascii_lowercase()),
            Err(_) => return Err(neither(text)),
        };
        Self::new(host, port)
    }

    fn new(host: Host, port: Option<&str>) -> Result<Self, String> {
        if let Host::Address(address) = host
            && (address.is_unspecified() || address.is_multicast())
        {
            return Err(format!("{address} is no address of another machine"));
        }
        let read = |port: &str| {
            let digits = port.bytes().all(|b| b.is_ascii_digit());
            let number = port.parse().ok().filter(|number| digits && *number > 0);
            number.ok_or_else(|| format!("{port:?} is not a port"))
        };
        Ok(Self {
            host,
            port: port.map(read).transpose()?,
        })
    }

    pub(super) fn as_match(&self) -> Match {
        match &self.host {
            Host::Address(address) => Match::Network(*address, bits(*address)),
            Host::Name(name) => Match::Name(name.clone()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            Host::Name(name) => f.write_str(name)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Where calls come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Match {
    /// An address with all its bits, or a network.
    Network(IpAddr, u8),
    /// The addresses of a host.
    Name(String),
}

impl Match {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither an address nor a network such as 192.0.2.0/28");
        let (address, wanted) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = bits(address);
        let least = if address.is_ipv4() {
            LEAST_BITS_V4
        } else {
            LEAST_BITS_V6
        };
        let Some(wanted) = wanted else {
            let place = Place::new(Host::Address(address), None)?;
            return Ok(place.as_match());
        };
        let digits = wanted.bytes().all(|b| b.is_ascii_digit());
        let wanted: u8 = wanted.parse().ok().filter(|_| digits).ok_or_else(wrong)?;
        if !(least..=most).contains(&wanted) {
            return Err(format!("{text}: a network has {least} to {most} bits here"));
        }
        Ok(Self::Network(address, wanted))
    }

    pub(super) fn is_address(&self) -> bool {
        matches!(self, Self::Network(..))
    }

    /// Whether a call could be of both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Name(one), Self::Name(other)) => one == other,
            (Self::Network(one, bits_of_one), Self::Network(other, bits_of_other)) => {
                let common = u32::from(*bits_of_one.min(bits_of_other));
                match (one, other) {
                    (IpAddr::V4(one), IpAddr::V4(other)) => {
                        (one.to_bits() ^ other.to_bits()).leading_zeros() >= common
                    }
                    (IpAddr::V6(one), IpAddr::V6(other)) => {
                        (one.to_bits() ^ other.to_bits()).leading_zeros() >= common
                    }
                    (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
                }
            }
            (Self::Name(_), Self::Network(..)) | (Self::Network(..), Self::Name(_)) => false,
        }
    }
}

impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(address, wanted) if *wanted == bits(*address) => write!(f, "{address}"),
            Self::Network(address, wanted) => write!(f, "{address}/{wanted}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The bits of an address.
fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn neither(text: &str) -> String {
    format!("{text:?} is neither an address nor a host name, with or without a port")
}

/// RFC 1123; 1.2.3.999 is a mistyped address and no name.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(known)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}
