//! The ceiling of the load: a server that exchanges the bytes of 20 commands and looks
//! at none of them.

use std::io::{ErrorKind, Read as _, Write as _};

use anyhow::bail;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use strowger_benches::arguments::Arguments;
use strowger_benches::report::{self, Listening};

const COMMAND: &[u8] = b"GET VARIABLE STROWGER_CALL\n";
const COMMANDS: u32 = 20;
const LISTENER: Token = Token(usize::MAX);

struct Session {
    stream: TcpStream,
    /// Commands that were written.
    written: u32,
}

fn main() -> anyhow::Result<()> {
    let port = Arguments::from_env(&["port"])?.or("port", 0_u16)?;
    let mut listener = TcpListener::bind(([127, 0, 0, 1], port).into())?;
    report::print(&Listening {
        listening: listener.local_addr()?.port(),
    })?;
    let mut poll = Poll::new()?;
    poll.registry()
        .register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(256);
    let mut sessions: Vec<Option<Session>> = Vec::new();
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            match event.token() {
                LISTENER => accept(&listener, &poll, &mut sessions)?,
                Token(slot) => {
                    let over = sessions[slot].as_mut().is_some_and(Session::go_on);
                    if over {
                        sessions[slot] = None;
                    }
                }
            }
        }
    }
}

fn accept(
    listener: &TcpListener,
    poll: &Poll,
    sessions: &mut Vec<Option<Session>>,
) -> anyhow::Result<()> {
    loop {
        let mut stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => bail!("cannot accept: {error}"),
        };
        stream.set_nodelay(true)?;
        let free = sessions.iter().position(Option::is_none);
        let slot = free.unwrap_or_else(|| {
            sessions.push(None);
            sessions.len() - 1
        });
        poll.registry()
            .register(&mut stream, Token(slot), Interest::READABLE)?;
        sessions[slot] = Some(Session { stream, written: 0 });
    }
}

impl Session {
    /// Takes whatever came for the answer to the last command; `true` when it is over.
    fn go_on(&mut self) -> bool {
        let mut chunk = [0; 1024];
        match self.stream.read(&mut chunk) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
        if self.written == COMMANDS {
            return true;
        }
        self.written += 1;
        self.stream.write(COMMAND).is_err()
    }
}
