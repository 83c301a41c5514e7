//! What the benchmark programs share. `scripts/bench-peers.sh` builds and runs them.
//!
//! | program | what it is |
//! |---|---|
//! | `bench_peers` | runs all the others and compares |
//! | `replay` | a manager interface that replays a recording |
//! | `ami_*`, `python/ami_*`, `node/ami_*` | clients that count its events |
//! | `agi_load` | an exchange that opens FastAGI sessions |
//! | `agi_*`, `python/agi_*`, `node/agi_*` | servers for those sessions |
//! | `stall_strowger` | our client while its owner sleeps |

pub mod arguments;
pub mod recording;
pub mod report;
pub mod runtime;
