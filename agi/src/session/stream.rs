//! What a session reads from and writes to.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

/// Bytes in both directions. The usual case costs no indirection.
pub(super) enum Stream {
    Tcp(TcpStream),
    Other(Box<dyn Bytes>),
}

/// Anything that a session can be held over.
pub(super) trait Bytes: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Sync + Unpin> Bytes for S {}

impl Stream {
    /// The connection behind a FastAGI session.
    pub(super) fn into_tcp(self) -> Option<TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            Self::Other(_) => None,
        }
    }

    /// Reads into the free room of a buffer. Cancel-safe. An end of the stream
    /// is an error.
    pub(super) async fn read(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        let count = match self {
            Self::Tcp(stream) => stream.read_buf(buffer).await?,
            Self::Other(stream) => stream.read_buf(buffer).await?,
        };
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    /// Writes the buffer and empties it. Cancel-safe: bytes leave the buffer
    /// when the stream has taken them.
    pub(super) async fn write(&mut self, buffer: &mut Vec<u8>) -> io::Result<()> {
        while !buffer.is_empty() {
            let count = match self {
                Self::Tcp(stream) => stream.write(buffer).await?,
                Self::Other(stream) => stream.write(buffer).await?,
            };
            if count == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            buffer.drain(..count);
        }
        if let Self::Other(stream) = self {
            // Others may buffer: standard output, TLS.
            stream.flush().await?;
        }
        Ok(())
    }
}
