//! Logins, what a login tells, and what happens when the link or the server goes away.

use std::time::Duration;

use anyhow::{bail, ensure};
use strowger_ami::{
    Action, ActionError, Auth, Boot, ClientConfig, Consumer, EncodeError, Event, LinkState, Notice,
    Tls, actions,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::{
    bench::{Bench, Link, address, eventually, text, up},
    report::Report,
};

pub(super) async fn check(bench: &Bench, report: &mut Report) {
    report
        .check(
            bench,
            "login with the secret in clear text",
            login(bench, Auth::Plain),
        )
        .await;
    report
        .check(bench, "login with a challenge", login(bench, Auth::Md5))
        .await;
    report.check(bench, "login over TLS", tls(bench)).await;
    report
        .check(
            bench,
            "TLS refuses a certificate that is not trusted",
            tls_untrusted(bench),
        )
        .await;
    report
        .check(
            bench,
            "a wrong secret is final until retry",
            wrong_secret(bench),
        )
        .await;
    report
        .check(
            bench,
            "an unknown account is refused",
            unknown_account(bench),
        )
        .await;
    report
        .check(
            bench,
            "Up tells the versions and since when it runs",
            introduction(bench),
        )
        .await;
    report
        .check(
            bench,
            "a ping is answered and its round trip known",
            ping(bench),
        )
        .await;
    report
        .check(bench, "a link has two sessions", two_sessions(bench))
        .await;
    report
        .check(bench, "output of a command", command_output(bench))
        .await;
    report
        .check(
            bench,
            "an unknown command is refused with what the console says",
            unknown_command(bench),
        )
        .await;
    report
        .check(
            bench,
            "a line over 1,024 bytes is not sent",
            long_line(bench),
        )
        .await;
    report
        .check(
            bench,
            "a line too long has one answer, and the next action its own",
            raw_long_line(bench),
        )
        .await;
    report
        .check(
            bench,
            "too many headers have one answer, and the next action its own",
            raw_many_headers(bench),
        )
        .await;
    report
        .check(bench, "an unknown action is refused", unknown_action(bench))
        .await;
}

/// What a link is told first: the versions and the boot.
pub(super) async fn first_up(
    link: &Link,
) -> anyhow::Result<(String, Option<String>, Option<Boot>)> {
    link.journal
        .notice("Up", 0, |notice| match notice {
            Notice::Up {
                ami_version,
                asterisk_version,
                boot,
            } => Some((ami_version.clone(), asterisk_version.clone(), *boot)),
            Notice::Event(_)
            | Notice::Gap { .. }
            | Notice::Down { .. }
            | Notice::AuthenticationRefused { .. } => None,
        })
        .await
}

async fn login(bench: &Bench, auth: Auth) -> anyhow::Result<()> {
    let config = ClientConfig {
        auth,
        ..bench.account()?
    };
    works(bench, config).await
}

/// A link with this configuration comes up and carries an action.
async fn works(bench: &Bench, config: ClientConfig) -> anyhow::Result<()> {
    let link = bench.link(config, Consumer::call_state());
    up(&link.journal, 0).await?;
    let pong = link.client.send(actions::ping()).await?;
    ensure!(text(&pong, "Ping") == "Pong", "the answer is {pong:?}");
    Ok(())
}

async fn tls(bench: &Bench) -> anyhow::Result<()> {
    let pem = std::fs::read(bench.asterisk.path("pbx_ami_tls_ca")?)?;
    let config = over_tls(bench, Tls::trusting(&pem)?)?;
    works(bench, config).await
}

async fn tls_untrusted(bench: &Bench) -> anyhow::Result<()> {
    // The authorities of the world, of which none has signed the lab's.
    let root = bench.asterisk.path("root")?;
    let pem = std::fs::read(format!("{root}/etc/ssl/certs/ca-certificates.crt"))?;
    let config = over_tls(bench, Tls::trusting(&pem)?)?;
    let link = bench.link(config, Consumer::call_state());
    eventually("an error of TLS", || async {
        let health = link.client.health();
        ensure!(health.state != LinkState::Up, "the link came up");
        Ok(health.last_error.is_some_and(|error| error.contains("TLS")))
    })
    .await
}

fn over_tls(bench: &Bench, tls: Tls) -> anyhow::Result<ClientConfig> {
    let at = address(&bench.asterisk, "pbx_ami_tls")?;
    Ok(ClientConfig {
        host: at.ip().to_string(),
        port: at.port(),
        tls: Some(tls),
        ..bench.account()?
    })
}

async fn wrong_secret(bench: &Bench) -> anyhow::Result<()> {
    let mark = bench.journal.mark();
    let config = ClientConfig {
        secret: "none-of-the-lab".to_owned().into(),
        backoff_min: Duration::from_millis(10),
        backoff_max: Duration::from_millis(20),
        ..bench.account()?
    };
    let link = bench.link(config, Consumer::call_state());
    let refusal = |notice: &Notice| match notice {
        Notice::AuthenticationRefused { message } => Some(message.clone()),
        Notice::Up { .. } | Notice::Event(_) | Notice::Gap { .. } | Notice::Down { .. } => None,
    };
    let message = link.journal.notice("the refusal", 0, refusal).await?;
    ensure!(
        message.contains("Authentication failed"),
        "it says {message:?}"
    );
    // Longer than ten of its pauses. The exchange tells of every attempt.
    sleep(Duration::from_millis(300)).await;
    // With a challenge the event names no account.
    let attempts = |event: &Event| matches!(event, Event::ChallengeResponseFailed(event) if event.service() == "AMI");
    let first = bench.journal.count(mark, attempts);
    ensure!(first == 1, "{first} attempts without retry");
    bench.client.send(actions::ping()).await?;
    ensure!(
        link.client.health().state == LinkState::Refused,
        "it is {:?}",
        link.client.health().state
    );
    let second = link.journal.mark();
    link.client.retry();
    link.journal
        .notice("the second refusal", second, refusal)
        .await?;
    eventually("the event of the second attempt", || async {
        Ok(bench.journal.count(mark, attempts) == 2)
    })
    .await
}

async fn unknown_account(bench: &Bench) -> anyhow::Result<()> {
    let config = ClientConfig {
        username: "nobody".into(),
        ..bench.account()?
    };
    let link = bench.link(config, Consumer::call_state());
    let error = up(&link.journal, 0).await.err();
    let said = error.map(|error| error.to_string()).unwrap_or_default();
    ensure!(said.contains("refused"), "it says {said:?}");
    Ok(())
}

async fn introduction(bench: &Bench) -> anyhow::Result<()> {
    let link = bench.link(bench.account()?, Consumer::call_state());
    let (ami, asterisk, boot) = first_up(&link).await?;
    let expected = bench.asterisk.version().await?;
    ensure!(
        asterisk
            .as_deref()
            .is_some_and(|version| version.starts_with(&expected)),
        "AsteriskVersion is {asterisk:?}, not {expected}"
    );
    let interface = if expected.starts_with("16.") {
        "5."
    } else {
        "11."
    };
    ensure!(ami.starts_with(interface), "the interface is {ami}");
    let Some(Boot {
        uptime_s: Some(_),
        last_reload_s: Some(_),
    }) = boot
    else {
        bail!("the boot is {boot:?}");
    };
    Ok(())
}

async fn ping(bench: &Bench) -> anyhow::Result<()> {
    let config = ClientConfig {
        ping_interval: Duration::from_millis(50),
        ..bench.account()?
    };
    let link = bench.link(config, Consumer::call_state());
    up(&link.journal, 0).await?;
    eventually("a round trip", || async {
        Ok(link.client.health().rtt.is_some())
    })
    .await?;
    if let Some(rtt) = link.client.health().rtt {
        ensure!(rtt < Duration::from_secs(1), "it takes {rtt:?}");
        bench.figure("ping_rtt_us", u64::try_from(rtt.as_micros())?);
    }
    Ok(())
}

async fn two_sessions(bench: &Bench) -> anyhow::Result<()> {
    let sessions = async || {
        let answer = bench
            .client
            .send(actions::command("manager show connected"))
            .await?;
        let lines = answer
            .get_all("Output")
            .filter(|line| line.trim_start().starts_with("lab "));
        anyhow::Ok(lines.count())
    };
    // Those of the links before this one may still be ending.
    let before = if bench.account()?.two_sessions { 2 } else { 1 };
    eventually("only the bench's own sessions are left", || async {
        Ok(sessions().await? == before)
    })
    .await?;
    let one = ClientConfig {
        two_sessions: false,
        ..bench.account()?
    };
    for (config, more) in [(bench.account()?, 2), (one, 1)] {
        let link = bench.link(config, Consumer::call_state());
        up(&link.journal, 0).await?;
        link.client.send(actions::ping()).await?;
        let now = sessions().await?;
        ensure!(now == before + more, "{before} sessions became {now}");
        drop(link);
        eventually("the sessions end", || async {
            Ok(sessions().await? == before)
        })
        .await?;
    }
    Ok(())
}

async fn command_output(bench: &Bench) -> anyhow::Result<()> {
    let answer = bench
        .client
        .send(actions::command("core show version"))
        .await?;
    let lines: Vec<_> = answer.get_all("Output").collect();
    let version = bench.asterisk.version().await?;
    ensure!(
        lines.len() == 1 && lines[0].starts_with(&format!("Asterisk {version}")),
        "the output is {lines:?}"
    );
    let answer = bench
        .client
        .send(actions::command("core show applications"))
        .await?;
    let lines = answer.get_all("Output").count();
    ensure!(lines > 100, "{lines} lines of applications");
    Ok(())
}

async fn unknown_command(bench: &Bench) -> anyhow::Result<()> {
    let Err(ActionError::Rejected { message }) = bench
        .client
        .send(actions::command("nonsense of the lab"))
        .await
    else {
        bail!("it was not refused");
    };
    ensure!(message.contains("No such command"), "it says {message:?}");
    Ok(())
}

async fn long_line(bench: &Bench) -> anyhow::Result<()> {
    let action = Action::new("Ping").header("Note", "x".repeat(1_017));
    let refused = bench.client.send(action).await;
    let Err(ActionError::Encode(EncodeError::LineTooLong { bytes: 1_025, .. })) = refused else {
        bail!("it is {refused:?}");
    };
    let longest = Action::new("Ping").header("Note", "x".repeat(1_016));
    bench.client.send(longest).await?;
    Ok(())
}

async fn raw_long_line(bench: &Bench) -> anyhow::Result<()> {
    let line = format!("Note: {}\r\n", "x".repeat(2_000));
    named(bench, &line, "too long").await
}

async fn raw_many_headers(bench: &Bench) -> anyhow::Result<()> {
    let lines = "Note: x\r\n".repeat(200);
    named(bench, &lines, "Too many").await
}

/// Whether such an action is named by its answer differs, which the client's rule allows
/// for: either way it has one answer, and so has the next action.
async fn named(bench: &Bench, lines: &str, complaint: &str) -> anyhow::Result<()> {
    let id = "ActionID: 1\r\n";
    for (action, place) in [
        (format!("{id}{lines}"), "before"),
        (format!("{lines}{id}"), "behind"),
    ] {
        let said = raw(bench, &action).await?;
        let errors = said.matches("Response: Error").count();
        ensure!(errors == 1 && said.contains(complaint), "it says {said:?}");
        let figure = format!(
            "{}_named_by_id_{place}",
            complaint.replace(' ', "_").to_lowercase()
        );
        bench.figure(&figure, said.contains(id));
    }
    Ok(())
}

/// What Asterisk writes to a Ping with these further lines, up to the answer to the next.
async fn raw(bench: &Bench, lines: &str) -> anyhow::Result<String> {
    let config = bench.account()?;
    let login = actions::login_plain(&config.username, &config.secret, "off").encode("0")?;
    let mut stream = TcpStream::connect((&*config.host, config.port)).await?;
    stream.write_all(&login).await?;
    read_until(&mut stream, "Authentication accepted\r\n\r\n").await?;
    let ping = format!("Action: Ping\r\n{lines}\r\n");
    stream.write_all(ping.as_bytes()).await?;
    stream.write_all(&actions::ping().encode("2")?).await?;
    read_until(&mut stream, "ActionID: 2\r\n").await
}

async fn read_until(stream: &mut TcpStream, end: &str) -> anyhow::Result<String> {
    let mut heard = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&heard).contains(end) {
            if stream.read_buf(&mut heard).await? == 0 {
                break;
            }
        }
        anyhow::Ok(())
    };
    let outcome = timeout(Duration::from_secs(10), reading).await;
    let said = String::from_utf8_lossy(&heard).into_owned();
    if !matches!(outcome, Ok(Ok(()))) || !said.contains(end) {
        bail!("{end:?} did not come after {said:?}");
    }
    Ok(said)
}

async fn unknown_action(bench: &Bench) -> anyhow::Result<()> {
    let refused = bench.client.send(Action::new("NoSuchAction")).await;
    let Err(ActionError::Rejected { message }) = refused else {
        bail!("it is {refused:?}");
    };
    ensure!(
        message.contains("Invalid/unknown command"),
        "it says {message:?}"
    );
    Ok(())
}
