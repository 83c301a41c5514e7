//! The store against a real PostgreSQL.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on must say where"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "tests live outside, where the clock is"
)]

use std::{
    collections::{BTreeMap, HashSet},
    sync::LazyLock,
};

use sqlx::Row as _;
use strowger_core::{
    agent::{AgentState, LegMode},
    campaign::{
        CampaignSettings, CampaignState, DeskSettings, DialingMode, MachineAction, PacingSettings,
        TrunkSettings,
    },
    compliance::{Activity, Packs},
    disposition::Disposition,
    ids::{AgentSessionId, AttemptId, CampaignId, ContactId, FlowId, TrunkId, UserId},
    lists::order::DialOrder,
    permission::Role,
    phone::PhoneNumber,
    record::{AttemptEnd, Write},
    retry::{AfterAttempt, RetryRule, RetryRules},
    telephony::{Amd, ServerName},
    time::{Timestamp, after},
};
use strowger_store::{
    Error, Store,
    attempts::ClaimRequest,
    campaigns::Campaign,
    contacts::{Known, NewContact},
    desk::Desk,
    inbound::Did,
    users::User,
};
use strowger_testkit::database::{TestDatabase, fresh};
use uuid::Uuid;

struct Scene {
    database: TestDatabase,
    campaign: CampaignId,
    trunk: TrunkId,
    server: ServerName,
    epoch: i64,
}

fn id() -> Uuid {
    Uuid::new_v4()
}

/// PostgreSQL keeps microseconds: a moment that survives the round trip.
fn now() -> Timestamp {
    Timestamp::from_microsecond(Timestamp::now().as_microsecond()).unwrap()
}

async fn scene(contacts: usize) -> Scene {
    let database = fresh().await.unwrap();
    let store = &database.store;
    let trunk = TrunkSettings {
        id: TrunkId::new("carrier").unwrap(),
        server: "pbx".into(),
        endpoint: "carrier".to_owned(),
        max_channels: 10,
        max_calls_per_second: 5,
    };
    store.create_trunk("Carrier", &trunk).await.unwrap();
    let second = TrunkSettings {
        id: TrunkId::new("backup").unwrap(),
        ..trunk.clone()
    };
    store.create_trunk("Backup", &second).await.unwrap();
    let campaign = Campaign {
        settings: CampaignSettings {
            id: CampaignId::new("c").unwrap(),
            name: "Campaign".to_owned(),
            mode: DialingMode::Power,
            ratio: 1.5,
            priority: 3,
            max_lines: 7,
            pacing: PacingSettings {
                abandon_limit: 0.01,
                window_s: 7_200,
                min_ring_s: 20,
                boost: 1.25,
            },
            trunks: vec![trunk.clone(), second],
            caller_id_pool: None,
            caller_id: Some(PhoneNumber::parse("+33199000100", "FR").unwrap()),
            ring_timeout_s: 20,
            abandon_after_ms: 1_500,
            safe_harbour: "vm-goodbye".to_owned(),
            amd: true,
            amd_parameters: serde_json::json!({"silence_threshold": 256}),
            amd_audit_share: 0.05,
            broadcast_flow: None,
            machine_action: MachineAction::LeaveMessage {
                sound: "hello".to_owned(),
            },
            record: true,
            wrap_up_s: 4,
            retry: RetryRules(BTreeMap::from([(
                Disposition::Busy,
                RetryRule {
                    delay_s: 60,
                    max_attempts: 2,
                    ..RetryRule::default()
                },
            )])),
            activity: Activity::Collection,
            packs: vec!["us-tcpa".to_owned()],
            schedule: serde_json::json!({"cap": 3}),
            filters: serde_json::json!([{"field": "city", "is": "Lyon"}]),
            dial_order: DialOrder::BestHour,
            hopper_min: 7,
            desk: DeskSettings::default(),
        },
        description: "d".to_owned(),
        state: CampaignState::Stopped,
        epoch: 0,
        default_region: "FR".to_owned(),
    };
    store.create_campaign(&campaign).await.unwrap();
    let id = campaign.settings.id.clone();
    let read = store.campaign(&id).await.unwrap().unwrap();
    assert_eq!(
        read.settings, campaign.settings,
        "a campaign reads as it was written"
    );
    // What stands there above was to be read, not to be obeyed.
    sqlx::query("UPDATE campaigns SET packs = '{}', schedule = '{}', filters = '[]'")
        .execute(store.pool())
        .await
        .unwrap();
    let list: Vec<NewContact> = (0..contacts).map(|place| contact(place, 1)).collect();
    store.add_contacts(&id, &list, now()).await.unwrap();
    let epoch = store.start_campaign(&id).await.unwrap();
    Scene {
        campaign: id,
        trunk: trunk.id,
        server: trunk.server,
        epoch,
        database,
    }
}

fn contact(place: usize, phones: usize) -> NewContact {
    NewContact {
        id: ContactId::new(format!("contact-{place:04}")).unwrap(),
        first_name: "O'Hara; DROP TABLE contacts".to_owned(),
        last_name: place.to_string(),
        postal_code: String::new(),
        custom_fields: serde_json::Map::new(),
        known: Known::default(),
        phones: (0..phones)
            .map(|phone| {
                PhoneNumber::try_from(format!("+33639{phone}8{place:04}"))
                    .unwrap()
                    .into()
            })
            .collect(),
    }
}

fn user(id: &str, role: Role) -> User {
    User {
        id: UserId::new(id).unwrap(),
        login_id: id.to_owned(),
        first_name: String::new(),
        last_name: String::new(),
        email: None,
        role,
        is_active: true,
        password_hash: "x".to_owned(),
    }
}

/// The rules that Strowger comes with.
fn packs() -> &'static Packs {
    static PACKS: LazyLock<Packs> = LazyLock::new(|| Packs::built_in().unwrap());
    &PACKS
}

impl Scene {
    fn store(&self) -> &Store {
        &self.database.store
    }

    fn request<'a>(&'a self, ids: &'a [AttemptId]) -> ClaimRequest<'a> {
        ClaimRequest {
            campaign: &self.campaign,
            epoch: self.epoch,
            trunk: &self.trunk,
            server: &self.server,
            ids,
            agents: &[],
            pacing: &serde_json::Value::Null,
            packs: packs(),
            now: now(),
        }
    }

    async fn claim(&self, count: usize) -> Result<strowger_store::attempts::Claimed, Error> {
        let ids: Vec<AttemptId> = (0..count).map(|_| AttemptId(id())).collect();
        self.store().claim(self.request(&ids)).await
    }

    async fn end(&self, attempt: AttemptId, contact: ContactId, after: AfterAttempt) {
        self.end_as(Disposition::Busy, attempt, contact, after)
            .await;
    }

    async fn end_as(
        &self,
        disposition: Disposition,
        attempt: AttemptId,
        contact: ContactId,
        after: AfterAttempt,
    ) {
        let end = AttemptEnd {
            attempt,
            contact,
            disposition,
            cause: Some(17),
            sip_code: Some(486),
            amd: None,
            amd_cause: None,
            amd_audited: false,
            late: None,
            after,
            at: now(),
        };
        self.store()
            .apply(&[Write::AttemptEnded(end)])
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_runners_at_once_never_get_the_same_contact() {
    let scene = std::sync::Arc::new(scene(100).await);
    let mut runners = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let scene = std::sync::Arc::clone(&scene);
        runners.spawn(async move {
            let mut got = Vec::new();
            for _ in 0..30 {
                got.extend(scene.claim(1).await.unwrap().attempts);
            }
            got
        });
    }
    let mut contacts = HashSet::new();
    while let Some(got) = runners.join_next().await {
        for attempt in got.unwrap() {
            assert!(
                contacts.insert(attempt.contact),
                "a contact was claimed twice"
            );
        }
    }
    assert_eq!(contacts.len(), 100);
}

#[tokio::test]
async fn a_claim_is_committed_before_it_is_answered() {
    let scene = scene(3).await;
    let claimed = scene.claim(2).await.unwrap();
    assert_eq!((claimed.attempts.len(), claimed.next_due), (2, None));
    let open: i64 = sqlx::query_scalar("SELECT count(*) FROM attempts WHERE ended_at IS NULL")
        .fetch_one(scene.store().pool())
        .await
        .unwrap();
    assert_eq!(open, 2);
    // One is left; what is open may still come back, so the list is not used up.
    let rest = scene.claim(5).await.unwrap();
    assert_eq!(rest.attempts.len(), 1);
    assert!(rest.next_due.is_some());
    for attempt in claimed.attempts.into_iter().chain(rest.attempts) {
        scene
            .end(attempt.attempt, attempt.contact, AfterAttempt::Called)
            .await;
    }
    let nothing = scene.claim(5).await.unwrap();
    assert_eq!((nothing.attempts.len(), nothing.next_due), (0, None));
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_can_be_asked_for() {
    let scene = scene(2).await;
    let ids = [AttemptId(id()), AttemptId(id()), AttemptId(id())];
    let store = scene.store();
    assert_eq!(store.committed_attempts(&ids).await.unwrap(), []);
    let claimed = store.claim(scene.request(&ids)).await.unwrap();
    let mut found = store.committed_attempts(&ids).await.unwrap();
    found.sort_by_key(|attempt| attempt.attempt);
    let mut expected = claimed.attempts;
    expected.sort_by_key(|attempt| attempt.attempt);
    assert_eq!(found, expected);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn an_audited_verdict_counts_once_the_agent_has_said_what_they_heard() {
    let scene = scene(1).await;
    let attempt = scene.claim(1).await.unwrap().attempts.remove(0);
    let end = AttemptEnd {
        attempt: attempt.attempt,
        contact: attempt.contact,
        disposition: Disposition::AnsweredHuman,
        cause: Some(16),
        sip_code: None,
        amd: Some(Amd::Machine),
        amd_cause: Some("LONGGREETING-1500-1500".to_owned()),
        amd_audited: true,
        late: Some(false),
        after: AfterAttempt::Called,
        at: now(),
    };
    let store = scene.store();
    store.apply(&[Write::AttemptEnded(end)]).await.unwrap();
    let since = Timestamp::UNIX_EPOCH;
    let heard = store.amd_calibration(&scene.campaign, since).await.unwrap();
    assert_eq!(heard.estimate().false_positive.n, 0);
    sqlx::query("UPDATE attempts SET was_machine = false")
        .execute(store.pool())
        .await
        .unwrap();
    let heard = store.amd_calibration(&scene.campaign, since).await.unwrap();
    let share = heard.estimate().false_positive;
    assert_eq!(share.n, 1);
    assert!(share.lower > 0.0, "a person was found: {share:?}");
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn the_settings_of_a_campaign_have_what_its_desk_says_and_do_not_change_it() {
    let scene = scene(0).await;
    let store = scene.store();
    let desk = Desk {
        min_agents: 4,
        max_call_s: 900,
        recording_beep: true,
        console: serde_json::json!({}),
        ..Desk::default()
    };
    store.set_desk(&scene.campaign, &desk, now()).await.unwrap();
    let expected = DeskSettings {
        min_agents: 4,
        max_call_s: 900,
        recording_beep: true,
    };
    let mut campaign = store.campaign(&scene.campaign).await.unwrap().unwrap();
    assert_eq!(campaign.settings.desk, expected);
    campaign.settings.desk = DeskSettings::default();
    store.update_campaign(&campaign).await.unwrap();
    let campaign = store.campaign(&scene.campaign).await.unwrap().unwrap();
    assert_eq!(campaign.settings.desk, expected);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_database_serves_one_daemon_at_a_time() {
    let scene = scene(0).await;
    let lock = scene.store().lock_node().await.unwrap();
    assert!(matches!(scene.store().lock_node().await, Err(Error::InUse)));
    drop(lock);
    scene.store().lock_node().await.unwrap();
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_runner_that_was_replaced_claims_nothing() {
    let scene = scene(3).await;
    scene.store().start_campaign(&scene.campaign).await.unwrap();
    assert!(matches!(scene.claim(1).await, Err(Error::Stale)));
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn an_attempt_ends_once_however_often_it_is_told() {
    let scene = scene(1).await;
    let attempt = scene.claim(1).await.unwrap().attempts.remove(0);
    let due = after(now(), 60_000);
    scene
        .end(
            attempt.attempt,
            attempt.contact.clone(),
            AfterAttempt::Retry(due),
        )
        .await;
    scene
        .end(
            attempt.attempt,
            attempt.contact.clone(),
            AfterAttempt::Called,
        )
        .await;
    let row = sqlx::query(
        "SELECT status, next_attempt_at > now() AS later, last_disposition FROM contacts",
    )
    .fetch_one(scene.store().pool())
    .await
    .unwrap();
    assert_eq!(
        row.get::<String, _>("status"),
        "waiting",
        "the second telling changed the contact"
    );
    assert!(row.get::<bool, _>("later"));
    assert_eq!(row.get::<String, _>("last_disposition"), "busy");
    // Not due yet: the claim says when.
    let claimed = scene.claim(1).await.unwrap();
    assert_eq!((claimed.attempts.len(), claimed.next_due), (0, Some(due)));
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn the_numbers_of_a_contact_are_tried_in_turn() {
    let scene = scene(0).await;
    scene
        .store()
        .add_contacts(&scene.campaign, &[contact(1, 2)], now())
        .await
        .unwrap();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let attempt = scene.claim(1).await.unwrap().attempts.remove(0);
        numbers.push(attempt.number.to_string());
        let retry = AfterAttempt::Retry(now());
        scene
            .end_as(
                Disposition::NoAnswer,
                attempt.attempt,
                attempt.contact,
                retry,
            )
            .await;
    }
    assert_eq!(numbers, ["+33639080001", "+33639180001", "+33639080001"]);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn contacts_are_added_all_or_none() {
    let scene = scene(1).await;
    let list = [contact(5, 1), contact(0, 1)];
    let error = scene
        .store()
        .add_contacts(&scene.campaign, &list, now())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Taken { .. }), "{error}");
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM contacts")
        .fetch_one(scene.store().pool())
        .await
        .unwrap();
    assert_eq!(count, 1);
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_restart_finds_what_has_no_end_and_takes_the_campaign_over() {
    let scene = scene(2).await;
    let store = scene.store();
    let agent = User {
        first_name: "Ada".to_owned(),
        last_name: "L".to_owned(),
        ..user("agent", Role::Agent)
    };
    store.create_user(&agent).await.unwrap();
    store
        .assign_agents(&scene.campaign, std::slice::from_ref(&agent.id))
        .await
        .unwrap();
    let claimed = scene.claim(2).await.unwrap().attempts;
    let session = AgentSessionId(id());
    let at = now();
    store
        .apply(&[
            Write::SessionOpened {
                session,
                agent: agent.id.clone(),
                server: "pbx".into(),
                station: "PJSIP/1001".to_owned(),
                leg_mode: LegMode::NailedUp,
                at,
            },
            Write::LegDialed { session, number: 2 },
            Write::AgentChanged {
                session,
                agent: agent.id.clone(),
                state: AgentState::Paused("lunch".to_owned()),
                cause: "pause",
                call: None,
                at,
            },
            Write::AttemptAnswered {
                attempt: claimed[0].attempt,
                at,
            },
            Write::AttemptBridged {
                attempt: claimed[0].attempt,
                agent: agent.id.clone(),
                at,
                late: false,
            },
        ])
        .await
        .unwrap();
    scene
        .end(
            claimed[1].attempt,
            claimed[1].contact.clone(),
            AfterAttempt::Called,
        )
        .await;

    let restored = store.restore().await.unwrap();
    assert_eq!(restored.campaigns[0].1, CampaignState::Running);
    assert_eq!(restored.campaigns[0].2, scene.epoch + 1);
    assert!(
        matches!(scene.claim(1).await, Err(Error::Stale)),
        "the old runner still claims"
    );
    let [call] = &restored.calls[..] else {
        panic!("{:?}", restored.calls)
    };
    assert_eq!(call.bridged, Some((at, agent.id.clone())));
    let [found] = &restored.sessions[..] else {
        panic!("{:?}", restored.sessions)
    };
    assert_eq!(
        (found.legs_dialed, &found.state),
        (2, &AgentState::Paused("lunch".to_owned()))
    );
    assert_eq!(found.login.name, "Ada L");
    assert!(found.login.campaigns.contains(&scene.campaign));
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn a_number_leads_to_the_published_version_with_or_without_plus() {
    let scene = scene(0).await;
    let store = scene.store();
    let flow = FlowId::new("flow").unwrap();
    let did = Did {
        id: strowger_core::ids::DidId::new("did").unwrap(),
        number: "+33199000001".to_owned(),
        description: String::new(),
        trunk_id: None,
        flow_id: Some(flow.clone()),
    };
    let missing = store.save_did(&did).await.unwrap_err();
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");
    store
        .save_flow(&flow, "Flow", &serde_json::json!({ "draft": 1 }))
        .await
        .unwrap();
    store.save_did(&did).await.unwrap();
    let main = ServerName::from("main");
    let route = async |number: &str, endpoint: Option<&str>| {
        store.route(number, &main, endpoint).await.unwrap()
    };
    assert!(
        route("+33199000001", None).await.is_none(),
        "a draft is not walked"
    );
    let admin = user("admin", Role::Administrator);
    store.create_user(&admin).await.unwrap();
    for version in 1..=2 {
        let graph = serde_json::json!({ "v": version });
        let published = store.publish_flow(&flow, &graph, &admin.id).await.unwrap();
        assert_eq!(published, version);
        for number in ["+33199000001", "33199000001"] {
            let route = route(number, Some("any")).await.unwrap();
            assert_eq!((route.version, route.graph), (version, graph.clone()));
        }
    }
    assert!(route("+33199000002", None).await.is_none());
    // Bound to a trunk, it is ours on that trunk only.
    let trunk = TrunkSettings {
        id: TrunkId::new("bound").unwrap(),
        server: main.clone(),
        endpoint: "carrier-b".to_owned(),
        max_channels: 1,
        max_calls_per_second: 1,
    };
    store.create_trunk("Bound", &trunk).await.unwrap();
    let bound = Did {
        trunk_id: Some(trunk.id),
        ..did
    };
    store.save_did(&bound).await.unwrap();
    assert!(route("33199000001", Some("carrier-b")).await.is_some());
    for other in [None, Some("carrier"), Some("CARRIER-B")] {
        assert!(route("33199000001", other).await.is_none(), "{other:?}");
    }
    let other = ServerName::from("other");
    let elsewhere = store.route("+33199000001", &other, Some("carrier-b"));
    assert!(elsewhere.await.unwrap().is_none());
    scene.database.drop_now().await.unwrap();
}

#[tokio::test]
async fn the_figures_of_an_agent_are_those_of_their_own_day() {
    let database = fresh().await.unwrap();
    let store = &database.store;
    let agent = user("usr_1", Role::Agent);
    store.create_user(&agent).await.unwrap();
    // Midnight in Paris is 23:00 UTC: the first hour of the session was yesterday.
    for statement in [
        "INSERT INTO sites (id, name, time_zone) VALUES ('site_1', 'Paris', 'Europe/Paris')",
        "UPDATE users SET site_id = 'site_1' WHERE id = 'usr_1'",
        "INSERT INTO agent_sessions (id, user_id, server, station, leg_mode, login_at)
         VALUES ('00000000-0000-0000-0000-000000000001', 'usr_1', 'pbx1', 'PJSIP/1', 'nailed-up', '2026-11-20T22:00:00Z')",
        "INSERT INTO agent_states (session_id, state, reason, cause, at)
         SELECT '00000000-0000-0000-0000-000000000001'::uuid, state, reason, '', at::timestamptz FROM (VALUES
             ('paused', 'logged-in', '2026-11-20T22:00:00Z'),
             ('available', NULL, '2026-11-20T23:10:00Z'),
             ('on-call', NULL, '2026-11-20T23:20:00Z'),
             ('wrap-up', NULL, '2026-11-20T23:23:00Z'),
             ('paused', 'En Pause', '2026-11-20T23:24:00Z'),
             ('paused', 'Formation', '2026-11-20T23:29:00Z'),
             ('available', NULL, '2026-11-20T23:39:00Z')) AS s (state, reason, at)",
        "INSERT INTO call_records (id, direction, server, channel, destination, agent_id, started_at, bridged_at, unbridged_at, ended_at)
         SELECT gen_random_uuid(), 'inbound', 'pbx1', 'c', '1', 'usr_1', at::timestamptz, at::timestamptz, at::timestamptz + seconds * interval '1 second', at::timestamptz + interval '1 hour'
         FROM (VALUES ('2026-11-20T22:30:00Z', 500), ('2026-11-20T23:20:00Z', 170), ('2026-11-20T23:21:00Z', 30)) AS c (at, seconds)",
    ] {
        sqlx::query(statement).execute(store.pool()).await.unwrap();
    }
    let now = "2026-11-20T23:40:00Z".parse().unwrap();
    let figures = store.agent_figures(&agent.id, now).await.unwrap();
    assert_eq!((figures.calls, figures.talked_s), (2, 200), "{figures:?}");
    assert_eq!(figures.average_talk_s(), 100);
    assert_eq!(
        (figures.handling_s, figures.average_handling_s()),
        (240, 120)
    );
    assert_eq!((figures.pauses, figures.trainings), (1, 1));
    assert_eq!(figures.paused_s, 10 * 60 + 5 * 60, "since midnight");
    assert_eq!(figures.training_s, 10 * 60);
    assert_eq!(figures.connected_s, 40 * 60);
    let nobody = store
        .agent_figures(&UserId::new("usr_9").unwrap(), now)
        .await
        .unwrap();
    assert_eq!(nobody.average_handling_s(), 0);
}
