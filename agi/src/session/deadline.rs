//! Deadlines that cost nothing while replies come in time.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// One timer of the runtime for all commands of a session.
///
/// Setting and clearing a timer for every command would cost more than
/// parsing its reply. So a timer that rings before the deadline is left as it
/// is, and looked at when it rings: about once in a `command_timeout`.
#[derive(Default)]
pub(super) struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// The output of a future; `None` if it takes longer than `limit`.
    pub(super) async fn within<F: Future>(
        &mut self,
        limit: Duration,
        future: F,
    ) -> Option<F::Output> {
        let mut future = pin!(future);
        let Some(deadline) = Instant::now().checked_add(limit) else {
            return Some(future.await);
        };
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
            let timer = self
                .0
                .get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            if timer.deadline() > deadline {
                timer.as_mut().reset(deadline);
            }
            while timer.as_mut().poll(context).is_ready() {
                if Instant::now() >= deadline {
                    return Poll::Ready(None);
                }
                timer.as_mut().reset(deadline);
            }
            Poll::Pending
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use tokio::time::sleep;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn each_use_has_its_own_deadline() {
        let mut timer = Timer::default();
        let start = Instant::now();
        assert_eq!(timer.within(SECOND, ready(1)).await, Some(1));
        for (limit, total) in [(5, 5), (1, 6), (3, 9)] {
            assert_eq!(timer.within(SECOND * limit, pending::<()>()).await, None);
            assert_eq!(start.elapsed().as_secs(), total);
        }
        assert_eq!(timer.within(SECOND * 5, sleep(SECOND)).await, Some(()));
        // The timer of the line above has not rung and is earlier.
        assert_eq!(timer.within(SECOND * 60, pending::<()>()).await, None);
        assert_eq!(start.elapsed().as_secs(), 70);
        assert_eq!(timer.within(Duration::MAX, sleep(SECOND)).await, Some(()));
    }
}
