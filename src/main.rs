//! The `strowger` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    strowger::cli::main()
}
