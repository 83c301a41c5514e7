//! The two runtimes that an asynchronous program may choose.

use std::future::Future;

use anyhow::bail;

/// Runs a program on the runtime named by its `--runtime`: `multi`, what
/// `#[tokio::main]` makes, or `current`, a single thread.
///
/// # Errors
/// Another name, or what the program says.
pub fn block_on(
    name: &str,
    program: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let mut builder = match name {
        "multi" => tokio::runtime::Builder::new_multi_thread(),
        "current" => tokio::runtime::Builder::new_current_thread(),
        other => bail!("--runtime is multi or current, not {other}"),
    };
    let runtime = builder.enable_all().build()?;
    let outcome = runtime.block_on(program);
    // Tasks that wait for ever must not keep the process.
    runtime.shutdown_background();
    outcome
}
