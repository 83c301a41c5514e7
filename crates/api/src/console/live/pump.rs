//! Turns the live view into messages, once for all sockets.

use std::{sync::Arc, time::Duration};

use strowger_realtime::{Start, Subscription};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Frame,
    board::{Board, News},
    presence,
    records::{self, Wanted},
};
use crate::state::Shared;

/// Messages are handed out at most this often; the first after a pause at once.
const EVERY: Duration = Duration::from_millis(15);

/// Records that wait to be read for the consoles.
const WANTED: usize = 1_024;

/// Starts the tasks that feed the sockets; they end with the daemon.
pub(super) fn start(app: &Shared) {
    let (wanted, queue) = mpsc::channel(WANTED);
    let tasks = &app.tasks;
    tasks.spawn(records::run(Arc::clone(app), queue));
    // From before the first console is told the states: nothing that comes after is missed.
    let (changes, records) = (app.api.hub.subscribe(None), app.changes.watch());
    tasks.spawn(records::watch(Arc::clone(app), records, wanted.clone()));
    let app = Arc::clone(app);
    app.tasks.clone().spawn(async move {
        let pump = Pump {
            board: Board::default(),
            frames: Vec::new(),
            wanted,
        };
        pump.run(app, changes).await;
    });
}

struct Pump {
    board: Board,
    frames: Vec<Frame>,
    wanted: mpsc::Sender<Wanted>,
}

impl Pump {
    async fn run(mut self, app: Shared, mut changes: Subscription) {
        if let Start::Snapshot(snapshot) = &changes.start {
            // Whoever connects is told the states; only what changes from now on is news.
            self.board.reset(snapshot, app.now(), &mut News::default());
        }
        let mut sent = Instant::now();
        loop {
            let due = sent + EVERY;
            tokio::select! {
                biased;
                () = app.api.shutdown.cancelled() => return,
                () = tokio::time::sleep_until(due), if !self.frames.is_empty() => {
                    app.console.send(std::mem::take(&mut self.frames));
                    sent = Instant::now();
                }
                change = changes.next() => {
                    let mut news = News::default();
                    match change {
                        Ok(Some(change)) => self.board.change(&change.change, app.now(), &mut news),
                        Ok(None) => return,
                        Err(_) => {
                            changes = app.api.hub.subscribe(None);
                            if let Start::Snapshot(snapshot) = &changes.start {
                                self.board.reset(snapshot, app.now(), &mut news);
                            }
                        }
                    }
                    self.take(&app, news);
                }
            }
        }
    }

    fn take(&mut self, app: &Shared, news: News) {
        self.frames.extend(news.frames);
        for (agent, notice) in news.notices {
            presence::tell(app, &agent, &notice);
        }
        let sessions = news.sessions.then_some(Wanted::Sessions);
        let figures = news.figures.into_iter().map(Wanted::Figures);
        for wanted in sessions.into_iter().chain(figures) {
            // So much waits to be read that this is read as well.
            let _ = self.wanted.try_send(wanted);
        }
    }
}
