//! Every route of the console for everybody: what it answers, and in which shape.
//!
//! Each area has its rows in a file of its own, and a test that runs them in order.

mod centre;
mod live;
mod outbound;
mod people;
mod system;

use axum::http::Method;
use serde_json::Value;
use strowger_core::permission::Role;

use crate::harness::TestApp;

/// A request that everybody makes, one after the other.
pub(crate) struct Row {
    /// Its method.
    pub(crate) method: &'static str,
    /// Its path. `{n}` is the number of who asks: 0 for nobody, 1 for an agent and so on.
    pub(crate) path: &'static str,
    /// Its body as JSON, with the same `{n}`; empty for none.
    pub(crate) body: &'static str,
    /// What is answered to nobody, an agent, a supervisor, an administrator, a super administrator.
    pub(crate) expect: [u16; 5],
    /// The keys of the answer, or of the first entry of a list: all that there are, in any order.
    pub(crate) keys: &'static [&'static str],
}

/// For supervisors and those above, with this status.
pub(crate) const fn supervisors(status: u16) -> [u16; 5] {
    [401, 403, status, status, status]
}

/// For administrators, with this status.
pub(crate) const fn administrators(status: u16) -> [u16; 5] {
    [401, 403, 403, status, status]
}

/// For super administrators, with this status.
pub(crate) const fn super_administrators(status: u16) -> [u16; 5] {
    [401, 403, 403, 403, status]
}

/// For everybody who is logged in, with this status.
pub(crate) const fn agents(status: u16) -> [u16; 5] {
    [401, status, status, status, status]
}

/// A row.
pub(crate) const fn row(
    method: &'static str,
    path: &'static str,
    body: &'static str,
    expect: [u16; 5],
    keys: &'static [&'static str],
) -> Row {
    Row {
        method,
        path,
        body,
        expect,
        keys,
    }
}

fn keys(body: &Value) -> Vec<String> {
    let object = match body {
        Value::Array(items) => items.first().unwrap_or(&Value::Null),
        other => other,
    };
    let mut keys: Vec<String> = object
        .as_object()
        .into_iter()
        .flat_map(|object| object.keys().cloned())
        .collect();
    keys.sort();
    keys
}

/// Makes every request as everybody.
pub(crate) async fn run(app: &TestApp, rows: &[Row]) {
    for row in rows {
        let method: Method = row.method.parse().unwrap();
        let everybody = std::iter::once(None).chain(Role::ALL.map(Some));
        for (number, (role, expected)) in everybody.zip(row.expect).enumerate() {
            let filled = |text: &str| text.replace("{n}", &number.to_string());
            let path = filled(row.path);
            let body = (!row.body.is_empty())
                .then(|| serde_json::from_str(&filled(row.body)).expect(row.path));
            let answer = app.call(role, method.clone(), &path, body).await;
            let case = format!("{} {path} as {role:?}: {}", row.method, answer.text);
            assert_eq!(answer.status, expected, "{case}");
            match expected {
                401 => assert_eq!(answer.text, "Unauthorized", "{case}"),
                400.. => assert!(answer.body["error"].is_string(), "{case}"),
                204 => assert!(answer.text.is_empty(), "{case}"),
                _ => {
                    let mut wanted: Vec<&str> = row.keys.to_vec();
                    wanted.sort_unstable();
                    assert_eq!(keys(&answer.body), wanted, "{case}");
                }
            }
            assert!(!answer.text.contains("not a hash"), "{case}");
        }
    }
}
