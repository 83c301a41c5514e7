//! Sounds of the media library and recordings of calls.

use std::{fs, io};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use serde_json::{Value, json};
use strowger_core::{permission::Role, sound::MAX_SOUND_BYTES};
use tower::ServiceExt as _;
use uuid::Uuid;

use crate::harness::TestApp;

const CALL: &str = "call_0000000000000000000000000000000b";
const BOUNDARY: &str = "----form";

/// A sound of so many samples at 8 kHz, one byte after the other counted up.
pub(crate) fn wav(samples: usize) -> Vec<u8> {
    let bytes = u32::try_from(2 * samples).unwrap();
    let mut file =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data"
            .to_vec();
    file[4..8].copy_from_slice(&(bytes + 36).to_le_bytes());
    file.extend(bytes.to_le_bytes());
    file.extend((0..=u8::MAX).cycle().take(2 * samples));
    file
}

/// A form as browsers send it: text under a name, and a file.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let file = if *name == "audioFile" {
            "; filename=\"../../../etc/passwd\"\r\nContent-Type: audio/wav"
        } else {
            ""
        };
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend_from_slice(content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").into_bytes());
    body
}

struct Heard {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Bytes,
}

impl TestApp {
    /// Sends bytes as an administrator.
    async fn send_bytes(&self, path: &str, content_type: &str, body: Body) -> (StatusCode, Value) {
        let token = self.token(Role::Administrator).await;
        let request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, content_type);
        let answer = self.send(request.body(body).unwrap()).await;
        (answer.status, answer.body)
    }

    pub(crate) async fn upload(&self, body: impl Into<Body>) -> (StatusCode, Value) {
        let path = "/api/v1/media-files?name=Welcome";
        self.send_bytes(path, "audio/wav", body.into()).await
    }

    async fn upload_form(&self, parts: &[(&str, &[u8])]) -> (StatusCode, Value) {
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send_bytes("/api/audio-files", &kind, form(parts).into())
            .await
    }

    async fn hear(&self, role: Role, path: &str, range: Option<&str>) -> Heard {
        let token = self.token(role).await;
        let mut request =
            Request::get(path).header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Heard {
            status: parts.status,
            headers: parts.headers,
            bytes: to_bytes(body, 100_000_000).await.unwrap(),
        }
    }

    /// The files of the library.
    fn kept(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(&self.state.settings.media) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    /// A call with a recording of this name.
    async fn with_call(&self, recording: Option<&str>, voicemail: Option<&str>) {
        sqlx::query(
            "INSERT INTO call_records
                 (id, direction, server, channel, destination, started_at, recording, voicemail)
             VALUES ($1, 'inbound', 'pbx1', 'PJSIP/carrier-1', '+33199001234', now(), $2, $3)
             ON CONFLICT (id) DO UPDATE SET recording = excluded.recording, voicemail = excluded.voicemail",
        )
        .bind(Uuid::from_u128(11))
        .bind(recording)
        .bind(voicemail)
        .execute(self.store.pool())
        .await
        .unwrap();
        fs::create_dir_all(&self.state.settings.recordings).unwrap();
    }

    async fn log_of(&self, subject: &str) -> Vec<(Value, Value, Value)> {
        let path = format!("/api/v1/audit-log?subject={subject}");
        let log = self.get(Role::Administrator, &path).await;
        let rows = log.body["data"].as_array().unwrap().clone();
        let columns = |row: Value| {
            let column = |name: &str| row[name].clone();
            (column("actor_id"), column("action"), column("change"))
        };
        rows.into_iter().map(columns).collect()
    }
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_media_file_is_uploaded_listed_heard_renamed_and_deleted() {
    let app = TestApp::new().await;
    let file = wav(12_000);
    let (status, body) = app.upload(file.clone()).await;
    assert_eq!(status, 201, "{body}");
    let new = &body["data"];
    let id = text(new, "id");
    assert_eq!(new["name"], "Welcome");
    assert_eq!(
        (&new["duration_s"], &new["size_bytes"]),
        (&json!(2), &json!(24_044))
    );
    assert_eq!(app.kept(), [format!("{id}.wav")]);
    let list = app.get(Role::Administrator, "/api/v1/media-files").await;
    assert_eq!(list.body["data"], json!([new]));

    let path = format!("/api/v1/media-files/{id}");
    let content = format!("{path}/content");
    let whole = app.hear(Role::Administrator, &content, None).await;
    assert_eq!(whole.status, 200);
    assert_eq!(whole.bytes, file);
    assert_eq!(whole.headers[header::CONTENT_TYPE], "audio/wav");
    assert_eq!(whole.headers[header::ACCEPT_RANGES], "bytes");
    assert_eq!(whole.headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    let part = app
        .hear(Role::Administrator, &content, Some("bytes=44-143"))
        .await;
    assert_eq!(part.status, 206);
    assert_eq!(part.bytes, file[44..144]);
    assert_eq!(part.headers[header::CONTENT_RANGE], "bytes 44-143/24044");
    let end = app
        .hear(Role::Administrator, &content, Some("bytes=-10"))
        .await;
    assert_eq!(
        (end.status.as_u16(), &end.bytes[..]),
        (206, &file[24_034..])
    );
    let beyond = app
        .hear(Role::Administrator, &content, Some("bytes=24044-"))
        .await;
    assert_eq!(beyond.status, 416);
    assert_eq!(beyond.headers[header::CONTENT_RANGE], "bytes */24044");

    let name = json!({"name": "Bienvenue"});
    let renamed = app.call(Some(Role::Administrator), Method::PATCH, &path, Some(name));
    assert_eq!(renamed.await.body["data"]["name"], "Bienvenue");
    let delete = || app.call(Some(Role::Administrator), Method::DELETE, &path, None);
    assert_eq!(delete().await.status, 200);
    assert_eq!(app.kept(), [""; 0]);
    assert_eq!(delete().await.status, 404);
    assert_eq!(
        app.hear(Role::Administrator, &content, None).await.status,
        404
    );
}

#[tokio::test]
async fn the_console_uploads_a_media_file_with_a_form_and_plays_it_by_its_file() {
    let app = TestApp::new().await;
    let file = wav(8_000);
    for (place, parts) in [
        [
            ("name", &b"Musique"[..]),
            ("audioFile", &file),
            ("duration", b"99"),
        ],
        [
            ("duration", &b"99"[..]),
            ("audioFile", &file),
            ("name", b"Musique"),
        ],
    ]
    .iter()
    .enumerate()
    {
        let (status, body) = app.upload_form(parts).await;
        assert_eq!(status, 201, "{body}");
        assert_eq!(body["name"], "Musique");
        assert_eq!(
            (&body["duration"], &body["size"]),
            (&json!(1), &json!(16_044))
        );
        for key in ["id", "uploadDate", "createdAt", "updatedAt"] {
            assert!(body[key].is_string(), "{key}: {body}");
        }
        assert_eq!(app.kept().len(), place + 1);
        let file_name = text(&body, "fileName");
        for path in ["/api/media", "/api/api/media"] {
            let path = format!("{path}/{file_name}");
            let heard = app
                .hear(Role::Administrator, &path, Some("bytes=0-3"))
                .await;
            assert_eq!(
                (heard.status.as_u16(), &heard.bytes[..]),
                (206, &b"RIFF"[..])
            );
            assert_eq!(heard.headers[header::CONTENT_TYPE], "audio/wav");
            assert_eq!(app.call(None, Method::GET, &path, None).await.status, 401);
        }
    }
    for parts in [&[("name", &b"x"[..])][..], &[("audioFile", &file)], &[]] {
        let (status, body) = app.upload_form(parts).await;
        assert_eq!(status, 400, "{body}");
        assert!(body["error"].is_string(), "{body}");
    }
    assert_eq!(app.kept().len(), 2);
}

#[tokio::test]
async fn what_is_not_a_sound_is_refused_with_the_reason_and_leaves_no_media_file() {
    let app = TestApp::new().await;
    let stereo = {
        let mut file = wav(100);
        file[22] = 2;
        file
    };
    let cut = wav(100)[..200].to_vec();
    for (file, reason) in [
        (b"<html><script>".to_vec(), "not a WAV file"),
        (b"ID3\x04\0\0".to_vec(), "MP3"),
        (stereo, "2 channels"),
        (cut, "cut off"),
        (Vec::new(), "not a WAV file"),
    ] {
        let (status, body) = app.upload(file.clone()).await;
        assert_eq!(status, 422, "{reason}: {body}");
        assert!(text(&body, "detail").contains(reason), "{reason}: {body}");
        let (status, body) = app
            .upload_form(&[("name", b"x"), ("audioFile", &file)])
            .await;
        assert_eq!(status, 400, "{reason}: {body}");
        assert!(text(&body, "error").contains(reason), "{reason}: {body}");
    }
    let nameless = "/api/v1/media-files?name=%20";
    let (status, _) = app.send_bytes(nameless, "audio/wav", wav(1).into()).await;
    assert_eq!(status, 422);
    assert_eq!(app.kept(), [""; 0]);
    let list = app.get(Role::Administrator, "/api/v1/media-files").await;
    assert_eq!(list.body["data"], json!([]));
}

#[tokio::test]
async fn an_upload_that_breaks_off_or_is_too_large_leaves_no_media_file() {
    let app = TestApp::new().await;
    let pieces = [
        Ok(Bytes::from(wav(10_000)[..5_000].to_vec())),
        Err(io::Error::other("connection reset")),
    ];
    let broken = Body::from_stream(futures_util::stream::iter(pieces));
    let (status, body) = app.upload(broken).await;
    assert_eq!(status, 400, "{body}");

    let parts: &[(&str, &[u8])] = &[("name", b"x"), ("audioFile", &wav(10_000))];
    let form = form(parts)[..9_000].to_vec();
    let kind = format!("multipart/form-data; boundary={BOUNDARY}");
    let (status, body) = app.send_bytes("/api/audio-files", &kind, form.into()).await;
    assert_eq!(status, 400, "{body}");

    let samples = usize::try_from(MAX_SOUND_BYTES / 2).unwrap();
    let large = wav(samples);
    let (status, body) = app.upload(large.clone()).await;
    assert_eq!(status, 413, "{body}");
    let (status, body) = app
        .upload_form(&[("name", b"x"), ("audioFile", &large)])
        .await;
    assert_eq!(status, 413, "{body}");
    assert_eq!(app.kept(), [""; 0]);
    let (status, body) = app.upload(wav(samples - 22)).await;
    assert_eq!(status, 201, "{body}");
}

#[tokio::test]
async fn what_an_earlier_run_did_not_finish_is_no_media_file_and_goes() {
    let app = TestApp::new().await;
    let directory = &app.state.settings.media;
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("0a.part"), "half").unwrap();
    fs::write(directory.join("other.txt"), "somebody's").unwrap();
    for name in ["0a.part", "other.txt", "..", "%2e%2e%2fother.txt"] {
        let path = format!("/api/media/{name}");
        let heard = app.hear(Role::Administrator, &path, None).await;
        assert_eq!(heard.status, 404, "{name}");
    }
    assert_eq!(app.upload(wav(1)).await.0, 201);
    let kept = app.kept();
    assert!(!kept.contains(&"0a.part".to_owned()), "{kept:?}");
    assert!(kept.contains(&"other.txt".to_owned()), "{kept:?}");
}

#[tokio::test]
async fn a_media_file_that_a_flow_or_a_campaign_plays_stays() {
    let app = TestApp::new().await.with_campaign().await;
    let (_, body) = app.upload(wav(100)).await;
    let id = text(&body["data"], "id");
    let path = format!("/api/v1/media-files/{id}");
    let delete = || app.call(Some(Role::Administrator), Method::DELETE, &path, None);
    let flow = |audio: Value| {
        json!({"name": "Reception", "nodes": [
            {"id": "start", "type": "start", "name": "Start"},
            {"id": "n1", "type": "media", "name": "Hello", "content": {"audio": audio}},
            {"id": "end", "type": "hangup", "name": "End"}],
        "connections": [
            {"id": "c1", "fromNodeId": "start", "fromPortId": "out", "toNodeId": "n1", "toPortId": "in"},
            {"id": "c2", "fromNodeId": "n1", "fromPortId": "out", "toNodeId": "end", "toPortId": "in"}]})
    };
    let save = |audio: Value| app.put(Role::Administrator, "/api/v1/flows/flw_1", flow(audio));
    let publish = || {
        app.post(
            Role::Administrator,
            "/api/v1/flows/flw_1/publish",
            json!(null),
        )
    };
    save(json!("med_00000000000000000000000000000000")).await;
    let unknown = publish().await;
    assert_eq!(unknown.status, 422, "there is no such sound");
    assert!(text(&unknown.body, "detail").contains("sound"));
    save(json!(id)).await;
    let refused = delete().await;
    assert_eq!(refused.status, 409, "the draft plays it");
    assert!(text(&refused.body, "detail").contains("flow Reception"));
    assert_eq!(publish().await.status, 200);
    save(json!("vm-goodbye")).await;
    assert_eq!(delete().await.status, 409, "callers still hear it");
    assert_eq!(publish().await.status, 200);

    let campaign = json!({"machine_message": id, "amd_enabled": true});
    let path_ = "/api/v1/campaigns/cmp_1";
    let changed = app.call(
        Some(Role::Administrator),
        Method::PATCH,
        path_,
        Some(campaign),
    );
    assert_eq!(changed.await.status, 200);
    let refused = delete().await;
    assert_eq!(refused.status, 409);
    assert!(text(&refused.body, "detail").contains("campaign Autumn"));
    let content = format!("{path}/content");
    let heard = app.hear(Role::Administrator, &content, None).await;
    assert_eq!(heard.status, 200, "it is still there");
    let campaign = json!({"machine_message": null});
    let changed = app.call(
        Some(Role::Administrator),
        Method::PATCH,
        path_,
        Some(campaign),
    );
    assert_eq!(changed.await.status, 200);
    assert_eq!(delete().await.status, 200);
}

#[tokio::test]
async fn who_hears_a_recording_is_in_the_audit_log() {
    let app = TestApp::new().await;
    let (recording, voicemail) = (wav(8_000), wav(500));
    app.with_call(Some("a.wav"), Some("voicemail-a.wav")).await;
    let directory = &app.state.settings.recordings;
    fs::write(directory.join("a.wav"), &recording).unwrap();
    fs::write(directory.join("voicemail-a.wav"), &voicemail).unwrap();

    let path = format!("/api/v1/recordings/{CALL}");
    let whole = app.hear(Role::Supervisor, &path, None).await;
    assert_eq!(
        (whole.status.as_u16(), &whole.bytes[..]),
        (200, &recording[..])
    );
    assert_eq!(whole.headers[header::CONTENT_TYPE], "audio/wav");
    assert_eq!(whole.headers[header::CACHE_CONTROL], "no-store");
    let console = format!("/api/api/recordings/{CALL}.mp3");
    let part = app
        .hear(Role::Administrator, &console, Some("bytes=10-19"))
        .await;
    assert_eq!(
        (part.status.as_u16(), &part.bytes[..]),
        (206, &recording[10..20])
    );
    let message = format!("/api/v1/voicemails/{CALL}");
    let message = app.hear(Role::Supervisor, &message, None).await;
    assert_eq!(&message.bytes[..], &voicemail[..]);
    for path in [&path, &console] {
        assert_eq!(app.hear(Role::Agent, path, None).await.status, 403);
        let beyond = app.hear(Role::Supervisor, path, Some("bytes=99999-")).await;
        assert_eq!(beyond.status, 416);
    }
    let heard = |role: &str, action: &str, file: &str, range: Value| {
        let change = json!({"file": file, "range": range});
        (json!(format!("usr_{role}")), json!(action), change)
    };
    assert_eq!(
        app.log_of(CALL).await,
        [
            heard(
                "supervisor",
                "voicemail.heard",
                "voicemail-a.wav",
                Value::Null
            ),
            heard(
                "administrator",
                "recording.heard",
                "a.wav",
                json!("bytes=10-19")
            ),
            heard("supervisor", "recording.heard", "a.wav", Value::Null),
        ],
        "newest first, and nobody who heard nothing"
    );
}

#[tokio::test]
async fn a_recording_leads_nowhere_else() {
    let app = TestApp::new().await;
    let path = format!("/api/v1/recordings/{CALL}");
    let hear = || app.hear(Role::SuperAdministrator, &path, None);
    assert_eq!(hear().await.status, 404, "there is no such call");
    app.with_call(None, None).await;
    assert_eq!(hear().await.status, 404, "it was not recorded");
    let directory = &app.state.settings.recordings;
    let secret = directory.parent().unwrap().join("secret.wav");
    fs::write(&secret, wav(1)).unwrap();
    fs::write(directory.join("own.wav"), wav(1)).unwrap();
    fs::create_dir(directory.join("folder.wav")).unwrap();
    std::os::unix::fs::symlink(&secret, directory.join("out.wav")).unwrap();
    std::os::unix::fs::symlink("own.wav", directory.join("within.wav")).unwrap();
    for (name, status) in [
        ("own.wav", 200),
        ("within.wav", 200),
        ("gone.wav", 404),
        ("out.wav", 404),
        ("folder.wav", 404),
        ("../secret.wav", 404),
        ("folder.wav/../own.wav", 404),
        (secret.to_str().unwrap(), 404),
        ("", 404),
        (".", 404),
    ] {
        app.with_call(Some(name), None).await;
        assert_eq!(hear().await.status, status, "{name:?}");
    }
    for other in ["..", "%2e%2e%2fsecret.wav", "none.mp3", "call_.mp3"] {
        let path = format!("/api/recordings/{other}");
        let heard = app.hear(Role::Supervisor, &path, None).await;
        assert_eq!(heard.status, 404, "{other}");
    }
}
