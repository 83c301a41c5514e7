//! How a session begins: the environment, and whose it is.

use std::{fmt, io, net::SocketAddr, time::Duration};

use tokio::time;

use super::{READ_SIZE, stream::Stream};
use crate::{Environment, EnvironmentError, environment};

/// Why a connection did not become a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The environment was not complete in time.
    #[error("the environment did not arrive in time")]
    TimedOut,
    /// The environment is not acceptable.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The connection ended or failed first.
    #[error("the connection failed before the environment was complete")]
    Io(#[from] io::Error),
}

/// The other end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Peer {
    /// A FastAGI connection from this address.
    Tcp(SocketAddr),
    /// `AsyncAGI` over AMI.
    Ami,
    /// A stream that the program brought ([`Session::over`](super::Session::over)).
    Stream,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Ami => f.write_str("AMI"),
            Self::Stream => f.write_str("stream"),
        }
    }
}

/// Reads up to the blank line. Gives the bytes behind it, too.
pub(super) async fn read_environment(
    stream: &mut Stream,
    timeout: Duration,
) -> Result<(Environment, Vec<u8>), OpenError> {
    let read = async {
        let mut block = Vec::with_capacity(READ_SIZE);
        let mut scanned = 0;
        loop {
            if let Some((end, next)) = block_end(&block, scanned) {
                let rest = block.split_off(next);
                block.truncate(end);
                return Ok((Environment::parse(&block)?, rest));
            }
            if block.len() > environment::MAX_BYTES {
                return Err(EnvironmentError::TooLarge.into());
            }
            // The end may have arrived in part: "\n\r" without its "\n".
            scanned = block.len().saturating_sub(2);
            stream.read(&mut block).await?;
        }
    };
    time::timeout(timeout, read)
        .await
        .map_err(|_| OpenError::TimedOut)?
}

/// Where the lines of the block end and where the bytes behind the blank line
/// begin. A blank line at the very start counts.
fn block_end(block: &[u8], from: usize) -> Option<(usize, usize)> {
    if from == 0 {
        for blank in [b"\n".as_slice(), b"\r\n"] {
            if block.starts_with(blank) {
                return Some((0, blank.len()));
            }
        }
    }
    memchr::memchr_iter(b'\n', &block[from..]).find_map(|offset| {
        let end = from + offset + 1;
        let rest = &block[end..];
        if rest.starts_with(b"\n") {
            Some((end, end + 1))
        } else if rest.starts_with(b"\r\n") {
            Some((end, end + 2))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_blank_line_is_found_at_any_split() {
        for text in ["agi_a: b\n\nrest", "agi_a: b\r\n\r\nrest"] {
            let block = text.as_bytes();
            let (end, next) = block_end(block, 0).unwrap();
            assert_eq!(&block[next..], b"rest");
            for cut in 1..next {
                assert_eq!(block_end(&block[..cut], 0), None, "{cut}");
                let from = cut.saturating_sub(2);
                assert_eq!(block_end(block, from), Some((end, next)), "{cut}");
            }
        }
        assert_eq!(block_end(b"\nrest", 0), Some((0, 1)));
        assert_eq!(block_end(b"", 0), None);
    }
}
