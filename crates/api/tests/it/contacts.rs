//! Importing lists.

use axum::body::{Body, Bytes};
use serde_json::{Value, json};

use crate::harness::TestApp;

#[tokio::test]
async fn broken_lines_are_reported_and_the_others_imported() {
    let app = TestApp::new().await.with_campaign().await;
    let mut csv =
        Vec::from("\u{feff}first_name;last_name;phone_number;phone2;postal_code;loan\r\n");
    csv.extend_from_slice("Ada;Lovelace;06 39 98 00 01;+33639980002;75011;\"12;5\"\r\n".as_bytes());
    csv.extend_from_slice(b"\r\n");
    csv.extend_from_slice(b"\"Eve\r\nAction: Hangup\";x;0639980003;;;\r\n");
    csv.extend_from_slice(b"Bob;x;CALL ME;;;\r\n");
    csv.extend_from_slice(b"Cyd;x;0639980001;;;\r\n");
    csv.extend_from_slice(b"D\xe9sir\xe9;x;0639980004;;;\r\n");
    csv.extend_from_slice(b"\"open;x;0639980005;;;\r\n");
    csv.extend_from_slice(format!("{};x;0639980006;;;\r\n", "y".repeat(70_000)).as_bytes());
    csv.extend_from_slice(b"short;0639980007\r\n");
    csv.extend_from_slice("Zoë;last;0639980008;;;".as_bytes());
    let answer = app.import("cmp_1", csv).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = &answer.body["data"];
    assert_eq!(
        (
            &data["total"],
            &data["imported"],
            &data["rejected"],
            &data["duplicates"]
        ),
        (&json!(9), &json!(2), &json!(7), &json!(1)),
        "{data:#}"
    );
    let errors: Vec<(u64, &str)> = data["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| {
            (
                error["line"].as_u64().unwrap(),
                error["column"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    let expected = [
        (4, "first_name"),
        (6, "phone_number"),
        (7, ""),
        (8, ""),
        (9, ""),
        (10, ""),
        (11, ""),
    ];
    assert_eq!(errors, expected, "{data:#}");
    assert!(
        data["errors"][2]["reason"]
            .as_str()
            .unwrap()
            .contains("stands in line 2"),
        "{data:#}"
    );
    let stored: Vec<(String, Value, i64)> = sqlx::query_as(
        "SELECT first_name, custom_fields, (SELECT count(*) FROM contact_phones p WHERE p.contact_id = c.id)
         FROM contacts c ORDER BY first_name",
    )
    .fetch_all(app.store.pool())
    .await
    .unwrap();
    assert_eq!(
        stored,
        [
            ("Ada".to_owned(), json!({"loan": "12;5"}), 2),
            ("Zoë".to_owned(), json!({}), 1)
        ]
    );
    let shown = app
        .get(
            strowger_core::permission::Role::Supervisor,
            "/api/v1/campaigns/cmp_1",
        )
        .await;
    assert_eq!(shown.body["data"]["contacts"], json!({"ready": 2}));
}

#[tokio::test]
async fn a_long_list_is_imported_in_batches_and_its_errors_are_counted_exactly() {
    let app = TestApp::new().await.with_campaign().await;
    let lines = (0..6_000).map(|n| {
        if n % 2 == 0 {
            format!("+336{n:08}\n")
        } else {
            "oops\n".to_owned()
        }
    });
    let chunks = std::iter::once("phone\n".to_owned())
        .chain(lines)
        .map(|line| Ok::<_, std::io::Error>(Bytes::from(line)));
    let answer = app
        .import(
            "cmp_1",
            Body::from_stream(futures_util::stream::iter(chunks)),
        )
        .await;
    let data = &answer.body["data"];
    assert_eq!(
        (&data["total"], &data["imported"], &data["rejected"]),
        (&json!(6_000), &json!(3_000), &json!(3_000))
    );
    assert_eq!(data["errors"].as_array().unwrap().len(), 1_000);
}

#[tokio::test]
async fn what_cannot_be_imported_at_all_is_refused() {
    let app = TestApp::with(|settings| settings.max_import_bytes = 1_000, true)
        .await
        .with_campaign()
        .await;
    assert_eq!(app.import("cmp_9", "phone\n1").await.status, 404);
    for csv in ["", "name\nAda", "phone,phone\n", "phone\u{1b}[2J\n"] {
        let answer = app.import("cmp_1", csv).await;
        assert_eq!(answer.status, 422, "{csv:?}: {}", answer.text);
    }
    let large = app
        .import("cmp_1", format!("phone\n{}", "0639980001\n".repeat(200)))
        .await;
    assert_eq!(large.status, 413, "{}", large.text);
    let busy = TestApp::with(|settings| settings.max_imports = 0, true)
        .await
        .with_campaign()
        .await;
    assert_eq!(busy.import("cmp_1", "phone\n").await.status, 503);
}

#[tokio::test]
async fn a_file_that_breaks_off_says_how_far_it_came() {
    let app = TestApp::new().await.with_campaign().await;
    let lines = (0..1_500).map(|n| Ok(Bytes::from(format!("+336{n:08}\n"))));
    let chunks = std::iter::once(Ok(Bytes::from_static(b"phone\n")))
        .chain(lines)
        .chain([Err(std::io::Error::other("gone"))]);
    let answer = app
        .import(
            "cmp_1",
            Body::from_stream(futures_util::stream::iter(chunks)),
        )
        .await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.body["error"]
            .as_str()
            .unwrap()
            .contains("1000 contacts up to line 1001"),
        "{}",
        answer.text
    );
}
