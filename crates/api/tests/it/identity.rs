//! Sessions, second factors, API keys, and what the console sees of them.

use axum::http::{Method, Request, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use strowger_api::{Auth, AuthSettings, SigningKey};
use strowger_core::permission::Role::{self, Administrator, Agent, SuperAdministrator, Supervisor};

use crate::harness::{Answer, PASSWORD, SECRET, TestApp, id};

async fn log_in(app: &TestApp, login_id: &str, password: &str) -> Answer {
    let body = json!({"login_id": login_id, "password": password, "with_refresh_token": true});
    let path = "/api/v1/auth/login";
    app.call(None, Method::POST, path, Some(body)).await
}

/// The access and the refresh token of an answer.
fn tokens(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let text = |name: &str| answer.body["data"][name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

async fn me(app: &TestApp, token: &str) -> u16 {
    let answer = app.with_token(token, Method::GET, "/api/v1/auth/me", None);
    answer.await.status.as_u16()
}

async fn refresh(app: &TestApp, token: &str) -> Answer {
    let body = json!({"refresh_token": token});
    let path = "/api/v1/auth/refresh";
    app.call(None, Method::POST, path, Some(body)).await
}

#[tokio::test]
async fn a_refresh_token_is_used_once_and_a_second_use_ends_the_login() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let (access, first) = tokens(&log_in(&app, "agent", PASSWORD).await);
    let (next, second) = tokens(&refresh(&app, &first).await);
    assert_eq!((me(&app, &access).await, me(&app, &next).await), (200, 200));
    // Another tab, at the same moment: it goes on, and learns no refresh token.
    app.pass(9_000);
    let tab = refresh(&app, &first).await;
    assert_eq!(tab.status, 200, "{}", tab.text);
    assert_eq!(tab.body["data"]["refresh_token"], Value::Null);
    app.pass(2_000);
    assert_eq!(refresh(&app, &first).await.status, 401, "stolen");
    assert_eq!((me(&app, &access).await, me(&app, &next).await), (401, 401));
    assert_eq!(refresh(&app, &second).await.status, 401, "for both");
    let log = app
        .get(Administrator, "/api/v1/audit-log?subject=usr_agent")
        .await;
    assert_eq!(log.body["data"][0]["action"], "login.ended");
    assert_eq!(log.body["data"][0]["change"]["cause"], "token-reused");
    assert!(!log.text.contains(&first));
    assert_eq!(refresh(&app, "nonsense").await.status, 401);
}

#[tokio::test]
async fn a_login_that_is_not_refreshed_ends_after_seven_days() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let (_, first) = tokens(&log_in(&app, "agent", PASSWORD).await);
    app.pass(7 * 86_400_000 - 1_000);
    let (access, second) = tokens(&refresh(&app, &first).await);
    assert_eq!(me(&app, &access).await, 200);
    app.pass(7 * 86_400_000);
    assert_eq!(refresh(&app, &second).await.status, 401);
}

#[tokio::test]
async fn the_cookie_is_kept_from_scripts_and_secure_behind_a_proxy_with_tls() {
    let local: std::net::SocketAddr = "127.0.0.1:9".parse().unwrap();
    let trust = |settings: &mut strowger_api::ApiSettings| {
        settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    };
    let app = TestApp::with(trust, true).await;
    app.set_password(Agent).await;
    let body = json!({"login_id": "agent", "password": PASSWORD}).to_string();
    for (proto, secure) in [("https", true), ("http", false)] {
        let mut request = Request::post("/api/v1/auth/login")
            .header(header::CONTENT_TYPE, "application/json")
            .header("x-forwarded-for", "203.0.113.7")
            .header("x-forwarded-proto", proto)
            .header(header::USER_AGENT, "a browser")
            .body(body.clone().into())
            .unwrap();
        request
            .extensions_mut()
            .insert(axum::extract::ConnectInfo(local));
        let answer = app.send(request).await;
        assert_eq!(answer.body["data"]["refresh_token"], Value::Null);
        let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
        assert!(cookie.starts_with("refreshToken="), "{cookie}");
        for part in [
            "; HttpOnly",
            "; SameSite=Strict",
            "; Path=/",
            "; Max-Age=604800",
        ] {
            assert!(cookie.contains(part), "{part} in {cookie}");
        }
        assert_eq!(cookie.contains("; Secure"), secure);
        let value = cookie.split(';').next().unwrap();
        let refreshed = Request::post("/api/v1/auth/refresh")
            .header(header::COOKIE, format!("other=1; {value}"))
            .body(axum::body::Body::empty())
            .unwrap();
        let refreshed = app.send(refreshed).await;
        assert_eq!(refreshed.status, 200, "{}", refreshed.text);
        assert_ne!(refreshed.headers["set-cookie"].to_str().unwrap(), cookie);
        let kept: Vec<(String, String)> =
            sqlx::query_as("SELECT peer, user_agent FROM login_sessions WHERE ended_at IS NULL")
                .fetch_all(app.store.pool())
                .await
                .unwrap();
        assert_eq!(kept, [("203.0.113.7".to_owned(), "a browser".to_owned())]);
    }
}

#[tokio::test]
async fn a_login_ends_the_others_unless_configured_otherwise() {
    for (single, status) in [(true, 401), (false, 200)] {
        let set = |settings: &mut AuthSettings| settings.single_session = single;
        let app = TestApp::with_auth(|_| {}, set, true).await;
        app.set_password(Agent).await;
        let (first, _) = tokens(&log_in(&app, "agent", PASSWORD).await);
        let (second, _) = tokens(&log_in(&app, "agent", PASSWORD).await);
        assert_eq!(
            (me(&app, &first).await, me(&app, &second).await),
            (status, 200)
        );
    }
}

#[tokio::test]
async fn logins_are_listed_and_ended_by_their_user_and_those_above() {
    let set = |settings: &mut AuthSettings| settings.single_session = false;
    let app = TestApp::with_auth(|_| {}, set, true).await;
    let (one, two) = (app.token(Agent).await, app.token(Agent).await);
    let list = app.with_token(&one, Method::GET, "/api/v1/auth/sessions", None);
    let list = list.await;
    let sessions = list.body["data"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{}", list.text);
    let of = |current: bool| {
        let mut found = sessions.iter().filter(|one| one["is_current"] == current);
        let id = found.next().unwrap()["id"].as_str().unwrap();
        format!("/api/v1/auth/sessions/{id}")
    };
    let (current, second) = (of(true), of(false));
    let other = app.token(Supervisor).await;
    let theirs = app.with_token(&other, Method::DELETE, &second, None);
    assert_eq!(theirs.await.status, 404, "not one's own");
    let ended = app.with_token(&one, Method::DELETE, &second, None).await;
    assert_eq!(ended.status, 200, "{}", ended.text);
    assert_eq!((me(&app, &one).await, me(&app, &two).await), (200, 401));
    let again = app.with_token(&one, Method::DELETE, &second, None);
    assert_eq!(again.await.status, 404);
    let ended = app.call(Some(Administrator), Method::DELETE, &current, None);
    assert_eq!(ended.await.status, 200);
    assert_eq!(me(&app, &one).await, 401);
    let top = app.token(SuperAdministrator).await;
    let path = "/api/v1/users/usr_super-administrator/sessions";
    let listed = app.get(Administrator, path).await;
    let id = listed.body["data"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/auth/sessions/{id}");
    let above = app.call(Some(Administrator), Method::DELETE, &path, None);
    assert_eq!(above.await.status, 404);
    assert_eq!(me(&app, &top).await, 200);
}

#[tokio::test]
async fn who_logs_out_is_out() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let (access, refreshing) = tokens(&log_in(&app, "agent", PASSWORD).await);
    let out = app.with_token(&access, Method::POST, "/api/v1/auth/logout", None);
    let out = out.await;
    assert_eq!(out.status, 200, "{}", out.text);
    assert!(
        out.headers["set-cookie"]
            .to_str()
            .unwrap()
            .contains("Max-Age=0")
    );
    assert_eq!(me(&app, &access).await, 401);
    assert_eq!(refresh(&app, &refreshing).await.status, 401);
}

#[tokio::test]
async fn keys_are_replaced_without_anybody_being_logged_out() {
    let key = |id: &str, secret: &str| SigningKey {
        id: id.to_owned(),
        secret: secret.into(),
    };
    let (old, new) = (
        key("1", SECRET),
        key("2", "another example of 32 bytes long"),
    );
    let both = vec![new.clone(), old];
    let app = TestApp::with_auth(|_| {}, |auth| auth.keys = both, true).await;
    let user = app.store.user(&id(Agent)).await.unwrap().unwrap();
    let session = app.token(Agent).await;
    let payload = session.split('.').nth(1).unwrap();
    let payload: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let session = payload["sessionId"].as_str().unwrap().parse().unwrap();
    // As the daemon made it before the new key was given.
    let before = Auth::new(&AuthSettings::new(SECRET.into())).unwrap();
    let now = (app.state.clock)();
    let token = before
        .issue(&user, session, now, uuid::Uuid::nil())
        .unwrap();
    assert_eq!(me(&app, &token.text).await, 200);
    let mut without = AuthSettings::new(SECRET.into());
    without.keys = vec![new];
    let without = Auth::new(&without).unwrap();
    assert!(without.check(&token.text, now).is_err());
    let mut twice = AuthSettings::new(SECRET.into());
    twice.keys = vec![key("1", SECRET), key("1", SECRET)];
    assert!(Auth::new(&twice).is_err());
}

#[tokio::test]
async fn a_bcrypt_hash_of_before_is_replaced_at_the_first_login() {
    let app = TestApp::new().await;
    // "U*U", by another program.
    sqlx::query("UPDATE users SET password_hash = $1 WHERE role = 'agent'")
        .bind("$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")
        .execute(app.store.pool())
        .await
        .unwrap();
    assert_eq!(log_in(&app, "agent", "U*V").await.status, 401);
    let (access, _) = tokens(&log_in(&app, "agent", "U*U").await);
    assert_eq!(me(&app, &access).await, 200);
    let user = app.store.user(&id(Agent)).await.unwrap().unwrap();
    assert!(user.password_hash.starts_with("$argon2id$"));
    assert_eq!(log_in(&app, "agent", "U*U").await.status, 200);
}

#[tokio::test]
async fn more_logins_than_can_be_checked_are_sent_away_at_once() {
    let set = |settings: &mut AuthSettings| {
        settings.concurrency = 1;
        settings.waiting = 2;
    };
    let app = TestApp::with_auth(|_| {}, set, true).await;
    let began = tokio::time::Instant::now();
    let logins: Vec<String> = (0..40).map(|n| format!("nobody{n}")).collect();
    let answers = futures_util::future::join_all(
        logins
            .iter()
            .map(|login| log_in(&app, login, "wrong password")),
    )
    .await;
    let count = |status: u16| answers.iter().filter(|one| one.status == status).count();
    assert!(count(503) >= 10, "{} were sent away", count(503));
    assert!(count(401) >= 3, "{} were checked", count(401));
    assert_eq!(count(503) + count(401), 40);
    let busy = answers.iter().find(|one| one.status == 503).unwrap();
    assert_eq!(busy.headers["retry-after"], "5");
    assert!(
        began.elapsed().as_secs() < 5,
        "nobody waited for a turn that does not come"
    );
}

#[tokio::test]
async fn a_locked_login_is_unlocked_by_an_administrator() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    for _ in 0..10 {
        log_in(&app, "agent", "wrong password").await;
    }
    assert_eq!(log_in(&app, "agent", PASSWORD).await.status, 429);
    let path = "/api/v1/users/usr_agent/lockout";
    let unlocked = app
        .call(Some(Administrator), Method::DELETE, path, None)
        .await;
    assert_eq!(unlocked.status, 200, "{}", unlocked.text);
    assert_eq!(log_in(&app, "agent", PASSWORD).await.status, 200);
    let path = "/api/v1/users/usr_super-administrator/lockout";
    let above = app.call(Some(Administrator), Method::DELETE, path, None);
    assert_eq!(above.await.status, 403);
}

#[tokio::test]
async fn a_user_chooses_a_new_password_with_a_token_once_and_within_the_hour() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let old = app.token(Agent).await;
    let ask = async |whom: &str| {
        let path = format!("/api/v1/users/{whom}/password-reset");
        app.call(Some(Administrator), Method::POST, &path, None)
            .await
    };
    let choose = async |token: &str, new: &str| {
        let body = json!({"token": token, "new_password": new});
        let path = "/api/v1/auth/password-reset";
        app.call(None, Method::POST, path, Some(body)).await
    };
    assert_eq!(ask("usr_super-administrator").await.status, 403);
    let late = ask("usr_agent").await.body["data"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    app.pass(3_600_000);
    assert_eq!(
        choose(&late, "battery staple").await.status,
        422,
        "too late"
    );
    let first = ask("usr_agent").await.body["data"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let token = ask("usr_agent").await.body["data"]["token"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        choose(&first, "battery staple").await.status,
        422,
        "replaced"
    );
    assert_eq!(
        log_in(&app, "agent", PASSWORD).await.status,
        200,
        "still the old one"
    );
    let weak = choose(&token, "password123").await;
    assert_eq!(
        weak.body["errors"][0]["field"], "new_password",
        "{}",
        weak.text
    );
    let done = choose(&token, "battery staple").await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(choose(&token, "staple battery").await.status, 422, "used");
    assert_eq!(me(&app, &old).await, 401);
    assert_eq!(log_in(&app, "agent", "battery staple").await.status, 200);
    let log = app
        .get(Administrator, "/api/v1/audit-log?subject=usr_agent")
        .await;
    assert!(!log.text.contains(&token) && !log.text.contains("argon2"));
}

/// The code that an authenticator app shows.
fn code(secret: &str, at_s: i64) -> String {
    use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let bits: String = secret
        .chars()
        .flat_map(|c| {
            let index = alphabet.find(c).unwrap();
            (0..5)
                .rev()
                .map(move |bit| if index >> bit & 1 == 1 { '1' } else { '0' })
        })
        .collect();
    let key: Vec<u8> = (0..bits.len() / 8)
        .map(|n| u8::from_str_radix(&bits[n * 8..n * 8 + 8], 2).unwrap())
        .collect();
    let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, &key);
    let tag = sign(&key, &(at_s / 30).to_be_bytes());
    let tag = tag.as_ref();
    let offset = usize::from(tag[19] & 15);
    let number = u32::from_be_bytes(tag[offset..offset + 4].try_into().unwrap());
    format!("{:06}", (number & 0x7fff_ffff) % 1_000_000)
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_code_is_good_once() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let now = || (app.state.clock)().as_second();
    let (token, _) = tokens(&log_in(&app, "agent", PASSWORD).await);
    let own = async |path: &str, body: Option<Value>| {
        let path = format!("/api/v1/auth/mfa/{path}");
        app.with_token(&token, Method::POST, &path, body).await
    };
    let enrolled = own("enrol", None).await;
    let secret = enrolled.body["data"]["secret"].as_str().unwrap().to_owned();
    assert!(
        enrolled.body["data"]["otpauth_uri"]
            .as_str()
            .unwrap()
            .contains(&secret)
    );
    let stored: Vec<u8> = sqlx::query_scalar("SELECT secret FROM user_mfa")
        .fetch_one(app.store.pool())
        .await
        .unwrap();
    assert!(stored.len() > 20 + 16, "sealed");
    assert_eq!(
        log_in(&app, "agent", PASSWORD).await.status,
        200,
        "not confirmed yet"
    );
    let token = tokens(&log_in(&app, "agent", PASSWORD).await).0;
    let own = async |path: &str, body: Value| {
        let path = format!("/api/v1/auth/mfa/{path}");
        app.with_token(&token, Method::POST, &path, Some(body))
            .await
    };
    assert_eq!(own("confirm", json!({"code": "abcdef"})).await.status, 422);
    let confirmed = own("confirm", json!({"code": code(&secret, now())})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let recovery: Vec<String> =
        serde_json::from_value(confirmed.body["data"]["recovery_codes"].clone()).unwrap();
    assert_eq!(recovery.len(), 10);
    assert_eq!(own("enrol", json!({})).await.status, 409);

    let first = log_in(&app, "agent", PASSWORD).await;
    assert_eq!(
        (first.status.as_u16(), &first.body["code"]),
        (401, &json!("mfa_required"))
    );
    assert_eq!(first.headers.get("set-cookie"), None);
    let challenge = first.body["challenge_token"].as_str().unwrap().to_owned();
    assert_eq!(me(&app, &challenge).await, 401, "it is no login");
    let second = async |challenge: &str, code: &str| {
        let body = json!({"challenge_token": challenge, "code": code, "with_refresh_token": true});
        app.call(None, Method::POST, "/api/v1/auth/mfa", Some(body))
            .await
    };
    let used = second(&challenge, &code(&secret, now())).await;
    assert_eq!(used.status, 401, "the code of the confirmation is used up");
    app.pass(30_000);
    let shown = code(&secret, now());
    let (access, _) = tokens(&second(&challenge, &shown).await);
    assert_eq!(me(&app, &access).await, 200);
    assert_eq!(second(&challenge, &shown).await.status, 401, "once");
    tokens(&second(&challenge, &recovery[0].to_uppercase()).await);
    assert_eq!(second(&challenge, &recovery[0]).await.status, 401, "once");
    app.pass(300_000);
    assert_eq!(
        second(&challenge, &recovery[1]).await.status,
        401,
        "too late"
    );

    let again = log_in(&app, "agent", PASSWORD).await;
    let challenge = again.body["challenge_token"].as_str().unwrap().to_owned();
    let mut tried = 0;
    while second(&challenge, "000000").await.status == 401 {
        tried += 1;
    }
    assert!(tried <= 10, "guessing codes is slow");
    let reset = |caller: Role| {
        let path = "/api/v1/users/usr_agent/mfa";
        app.call(Some(caller), Method::DELETE, path, None)
    };
    assert_eq!(reset(Supervisor).await.status, 403);
    assert_eq!(reset(Administrator).await.status, 200);
    app.pass(3_600_000 * 2);
    assert_eq!(log_in(&app, "agent", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn a_second_factor_is_given_up_with_the_password() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    let token = app.token(Agent).await;
    let own = async |path: &str, body: Value| {
        let path = format!("/api/v1/auth/mfa/{path}");
        app.with_token(&token, Method::POST, &path, Some(body))
            .await
    };
    let enrolled = own("enrol", json!({})).await;
    let secret = enrolled.body["data"]["secret"].as_str().unwrap();
    let now = (app.state.clock)().as_second();
    let confirmed = own("confirm", json!({"code": code(secret, now)})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(
        own("disable", json!({"password": "wrong password"}))
            .await
            .status,
        422
    );
    assert_eq!(log_in(&app, "agent", PASSWORD).await.status, 401);
    assert_eq!(
        own("disable", json!({"password": PASSWORD})).await.status,
        200
    );
    assert_eq!(log_in(&app, "agent", PASSWORD).await.status, 200);
}

async fn new_key(app: &TestApp, role: Role, body: Value) -> String {
    let made = app.post(role, "/api/v1/api-keys", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    made.body["data"]["secret"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_api_key_may_do_what_it_names_and_never_more_than_its_owner() {
    let app = TestApp::new().await;
    let body = json!({"name": "wallboard", "scopes": ["watch-live", "read-call-records"]});
    let key = new_key(&app, Supervisor, body).await;
    assert!(key.starts_with("sk_"));
    let get = async |key: &str, path: &str| {
        let answer = app.with_token(key, Method::GET, path, None).await;
        answer.status.as_u16()
    };
    assert_eq!(get(&key, "/api/v1/call-records").await, 200);
    assert_eq!(get(&key, "/api/v1/users").await, 403, "not a scope");
    assert_eq!(get(&key, "/api/v1/auth/me").await, 403, "not a scope");
    for (role, scope) in [
        (Agent, "read-call-records"),
        (Administrator, "edit-settings"),
    ] {
        let body = json!({"name": "x", "scopes": [scope]});
        let refused = app.post(role, "/api/v1/api-keys", body).await;
        assert_eq!(refused.status, 403, "{}", refused.text);
    }
    for body in [
        json!({"name": "x", "scopes": []}),
        json!({"name": "x", "scopes": ["everything"]}),
        json!({"name": "x", "scopes": ["watch-live"], "expires_at": "2026-01-01T00:00:00Z"}),
    ] {
        assert_eq!(
            app.post(Supervisor, "/api/v1/api-keys", body).await.status,
            422
        );
    }
    let last = key.chars().last().unwrap();
    let forged = format!(
        "{}{}",
        &key[..key.len() - 1],
        if last == 'A' { 'B' } else { 'A' }
    );
    for wrong in [forged.as_str(), "sk_", "sk_1_2", &key[..30]] {
        assert_eq!(get(wrong, "/api/v1/call-records").await, 401, "{wrong}");
    }
    let list = app.get(Supervisor, "/api/v1/api-keys").await;
    assert!(!list.text.contains(key.rsplit('_').next().unwrap()));
    assert_ne!(list.body["data"][0]["last_used_at"], Value::Null);
    sqlx::query("UPDATE users SET role = 'agent' WHERE id = 'usr_supervisor'")
        .execute(app.store.pool())
        .await
        .unwrap();
    assert_eq!(
        get(&key, "/api/v1/call-records").await,
        403,
        "the owner may not any more"
    );
}

#[tokio::test]
async fn an_api_key_expires_is_revoked_and_makes_no_other() {
    let app = TestApp::new().await;
    let body =
        json!({"name": "short", "scopes": ["work-as-agent"], "expires_at": "2026-11-20T13:00:00Z"});
    let short = new_key(&app, Agent, body).await;
    let key = new_key(
        &app,
        Agent,
        json!({"name": "long", "scopes": ["work-as-agent"]}),
    )
    .await;
    assert_eq!((me(&app, &short).await, me(&app, &key).await), (200, 200));
    for (method, path, body) in [
        (
            Method::POST,
            "/api/v1/api-keys",
            json!({"name": "x", "scopes": ["work-as-agent"]}),
        ),
        (Method::POST, "/api/v1/auth/mfa/enrol", json!({})),
        (Method::POST, "/api/v1/auth/logout", json!({})),
        (
            Method::PUT,
            "/api/v1/users/me/password",
            json!({"current_password": "a", "new_password": "b"}),
        ),
    ] {
        let refused = app.with_token(&key, method, path, Some(body)).await;
        assert_eq!(refused.status, 403, "{path}: {}", refused.text);
    }
    let noted = "SELECT last_used_at FROM api_keys WHERE name = 'long'";
    let noted = async || -> chrono::DateTime<chrono::Utc> {
        let pool = app.store.pool();
        sqlx::query_scalar(noted).fetch_one(pool).await.unwrap()
    };
    let before = noted().await;
    app.pass(59_000);
    me(&app, &key).await;
    assert_eq!(noted().await, before, "once a minute");
    app.pass(1_000);
    me(&app, &key).await;
    assert_ne!(noted().await, before);
    app.pass(3_600_000);
    assert_eq!((me(&app, &short).await, me(&app, &key).await), (401, 200));
    let list = app.get(Agent, "/api/v1/api-keys").await;
    let id = list.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "long");
    let path = format!("/api/v1/api-keys/{}", id.unwrap()["id"].as_str().unwrap());
    let other = app.call(Some(Supervisor), Method::DELETE, &path, None);
    assert_eq!(other.await.status, 404, "not one's own");
    let revoked = app.call(Some(Administrator), Method::DELETE, &path, None);
    assert_eq!(revoked.await.status, 200);
    assert_eq!(me(&app, &key).await, 401);
}

#[tokio::test]
async fn the_console_logs_in_goes_on_and_out() {
    let app = TestApp::new().await;
    app.set_password(Agent).await;
    app.set_password(Supervisor).await;
    sqlx::query("UPDATE users SET is_active = false WHERE role = 'supervisor'")
        .execute(app.store.pool())
        .await
        .unwrap();
    let post = async |path: &str, cookie: Option<&str>, body: Value| {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        app.send(request.body(body.to_string().into()).unwrap())
            .await
    };
    for (login, password, key) in [
        ("agent", "wrong", "INVALID_CREDENTIALS"),
        ("nobody", "wrong", "INVALID_CREDENTIALS"),
        ("supervisor", "wrong", "INVALID_CREDENTIALS"),
        ("supervisor", PASSWORD, "ACCOUNT_DISABLED"),
    ] {
        let body = json!({"loginId": login, "password": password});
        let refused = post("/api/auth/login", None, body).await;
        assert_eq!(refused.status, 401);
        assert_eq!(refused.body, json!({"errorKey": key}));
    }
    let body = json!({"loginId": "agent", "password": PASSWORD});
    let login = post("/api/auth/login", None, body).await;
    assert_eq!(login.status, 200, "{}", login.text);
    let user = &login.body["user"];
    assert_eq!(
        (
            &user["id"],
            &user["loginId"],
            &user["role"],
            &user["campaignIds"]
        ),
        (
            &json!("usr_agent"),
            &json!("agent"),
            &json!("Agent"),
            &json!([])
        )
    );
    for key in user.as_object().unwrap().keys() {
        assert!(!key.contains("assword"), "{key}");
    }
    let created = user["createdAt"].as_str().unwrap();
    assert!(created.ends_with('Z') && created.len() == 24, "{created}");
    let cookie = login.headers["set-cookie"].to_str().unwrap();
    let cookie = cookie.split(';').next().unwrap();
    let refreshed = post("/api/auth/refresh", Some(cookie), json!({})).await;
    let token = refreshed.body["accessToken"].as_str().unwrap();
    let without = post("/api/auth/refresh", None, json!({})).await;
    assert_eq!(without.status, 401);
    assert!(without.body["error"].is_string());
    let me = app
        .with_token(token, Method::GET, "/api/auth/me", None)
        .await;
    assert_eq!(me.body["user"]["id"], "usr_agent");
    let out = app.with_token(token, Method::POST, "/api/auth/logout", Some(json!({})));
    assert!(out.await.body["message"].is_string());
    let gone = app
        .with_token(token, Method::GET, "/api/auth/me", None)
        .await;
    assert_eq!(
        (gone.status.as_u16(), gone.text.as_str()),
        (401, "Unauthorized")
    );
    assert!(
        gone.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
}

#[tokio::test]
async fn the_console_adds_changes_and_deletes_users() {
    let app = TestApp::new().await;
    let call = async |method: Method, path: &str, body: Value| {
        app.call(Some(Administrator), method, path, Some(body))
            .await
    };
    let mut user = json!({"id": "new-1763630000000", "loginId": "grace", "password": "correct horse",
        "firstName": "Grace", "lastName": "Hopper", "email": "", "role": "Agent", "isActive": true,
        "siteId": null, "agentProfileId": null, "mobileNumber": "", "useMobileAsStation": false,
        "planningEnabled": true, "groupIds": [], "campaignIds": [], "somethingNew": 1});
    let added = call(Method::POST, "/api/users", user.clone()).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!(added.body["id"], "new-1763630000000");
    assert_eq!(added.body["email"], Value::Null);
    assert_eq!(added.body["agentProfileId"], "default-profile");
    let again = call(Method::POST, "/api/users", user.clone()).await;
    assert_eq!(
        (again.status.as_u16(), &again.body["error"]),
        (500, &json!("L'identifiant/extension existe déjà."))
    );
    user["role"] = json!("SuperAdmin");
    user["id"] = json!("new-2");
    let above = call(Method::POST, "/api/users", user.clone()).await;
    assert_eq!(above.status, 403, "{}", above.text);
    assert!(above.body["error"].is_string());
    let path = "/api/users/new-1763630000000";
    user["role"] = json!("Superviseur");
    user["isActive"] = json!(false);
    user["password"] = json!("");
    let active = call(Method::DELETE, path, json!({})).await;
    assert_eq!(active.status, 400, "{}", active.text);
    let changed = call(Method::PUT, path, user.clone()).await;
    assert_eq!(
        (&changed.body["role"], &changed.body["isActive"]),
        (&json!("Superviseur"), &json!(false))
    );
    assert_eq!(call(Method::DELETE, path, json!({})).await.status, 204);
    assert_eq!(call(Method::DELETE, path, json!({})).await.status, 404);
    let many = json!({"users": [
        {"id": "new-gen-1", "loginId": "g1", "password": "x7kq9wm2", "role": "Agent", "firstName": "A", "lastName": "B"},
        {"id": "new-gen-2", "loginId": "g2", "role": "Agent", "groupIds": ["unknown"]}]});
    let added = call(Method::POST, "/api/users/bulk", many).await;
    assert_eq!(
        (added.status.as_u16(), &added.body),
        (201, &json!({"success": true}))
    );
    let agent = app
        .call(Some(Agent), Method::POST, "/api/users", Some(user))
        .await;
    assert_eq!(agent.status, 403, "roles are enforced here too");
    app.set_password(Agent).await;
    let token = app.token(Agent).await;
    let body = json!({"currentPassword": PASSWORD, "newPassword": "1234"});
    let path = "/api/users/me/password";
    let short = app.with_token(&token, Method::PUT, path, Some(body)).await;
    assert_eq!(short.status, 400, "{}", short.text);
    let body = json!({"currentPassword": PASSWORD, "newPassword": "battery staple"});
    let changed = app.with_token(&token, Method::PUT, path, Some(body)).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert!(
        changed.headers["set-cookie"]
            .to_str()
            .unwrap()
            .starts_with("refreshToken=")
    );
    assert_eq!(me(&app, &token).await, 401);
}
