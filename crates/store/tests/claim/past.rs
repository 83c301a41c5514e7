//! What a restart finds: who answered before it, and whose call it was.

use strowger_core::{
    call::Kind,
    disposition::Disposition,
    ids::CampaignId,
    record::{AttemptEnd, Write},
    retry::AfterAttempt,
    switchboard::{Counted, NewAttempt, Stretch},
    telephony::Amd,
    time::{Timestamp, after, before},
};

use crate::scene::{Contact, Scene, now, user};

/// Seconds after the claim.
fn at(seconds: u64) -> Timestamp {
    after(now(), seconds * 1_000)
}

fn answered(new: &NewAttempt, seconds: u64) -> Write {
    Write::AttemptAnswered {
        attempt: new.attempt,
        at: at(seconds),
    }
}

fn bridged(new: &NewAttempt, seconds: u64, late: bool) -> Write {
    Write::AttemptBridged {
        attempt: new.attempt,
        agent: user(),
        at: at(seconds),
        late,
    }
}

fn ended(new: &NewAttempt, seconds: u64, how: Disposition, late: Option<bool>) -> Write {
    Write::AttemptEnded(AttemptEnd {
        attempt: new.attempt,
        contact: new.contact.clone(),
        disposition: how,
        cause: None,
        sip_code: None,
        amd: (how == Disposition::AnsweredMachine).then_some(Amd::Machine),
        amd_cause: None,
        amd_audited: false,
        late,
        after: AfterAttempt::Called,
        at: at(seconds),
    })
}

fn counts(counted: &[Counted]) -> Vec<(u32, u32, u32)> {
    counted
        .iter()
        .map(|one| (one.people, one.late, one.machines))
        .collect()
}

async fn with_contacts(count: usize) -> Scene {
    let scene = Scene::new(&["a", "b"]).await;
    for place in 0..count {
        let id = format!("contact-{place}");
        let contact = Contact {
            campaign: "a",
            id: &id,
            number: place,
            ..Contact::default()
        };
        scene.add(contact).await;
    }
    scene
}

#[tokio::test]
async fn people_who_answered_before_a_restart_are_counted_in_its_window() {
    let scene = with_contacts(8).await;
    let new = scene.claim("a", 8, now()).await.attempts;
    let writes = [
        // Talked, and in time.
        answered(&new[0], 10),
        bridged(&new[0], 11, false),
        ended(&new[0], 900, Disposition::AnsweredHuman, Some(false)),
        // Talked, too late: what was written first stays.
        answered(&new[1], 20),
        bridged(&new[1], 30, true),
        ended(&new[1], 40, Disposition::AnsweredHuman, Some(false)),
        // Abandoned on the other side of a boundary of five minutes.
        answered(&new[2], 299),
        ended(&new[2], 302, Disposition::Abandoned, Some(true)),
        // A machine, and nobody.
        answered(&new[3], 50),
        ended(&new[3], 60, Disposition::AnsweredMachine, None),
        ended(&new[4], 60, Disposition::NoAnswer, None),
        // Talks still.
        answered(&new[5], 310),
        bridged(&new[5], 311, false),
        // Waits still: the new pacer hears of it.
        answered(&new[6], 312),
        // Hung up in the flow of a broadcast: nobody was owed.
        answered(&new[7], 320),
        ended(&new[7], 330, Disposition::AnsweredHangup, None),
    ];
    scene.store().apply(&writes).await.unwrap();
    let campaign = CampaignId::new("a").unwrap();
    let counted = async |from: Timestamp, to: Timestamp, until: Timestamp| {
        let stretch = Stretch { from, to, until };
        let found = scene.store().people_counted(&campaign, stretch).await;
        found.unwrap()
    };
    let day = before(now(), 86_400_000);
    let all = counted(day, at(1_000), at(1_000)).await;
    assert_eq!(counts(&all), [(3, 1, 1), (1, 1, 0)]);
    assert_eq!((all[0].from, all[0].until), (now(), at(300)));
    assert_eq!(
        counts(&counted(day, at(1_000), at(310)).await),
        [(3, 1, 1), (0, 1, 0)],
        "whoever was not connected then is counted live"
    );
    assert_eq!(
        counts(&counted(at(15), at(299), at(1_000)).await),
        [(1, 1, 1)],
        "only those who answered within the stretch"
    );
    let other = CampaignId::new("b").unwrap();
    let stretch = Stretch {
        from: day,
        to: at(1_000),
        until: at(1_000),
    };
    let nobody = scene.store().people_counted(&other, stretch).await.unwrap();
    assert_eq!(nobody, []);
}

#[tokio::test]
async fn a_call_that_was_dialed_for_an_agent_is_theirs_after_a_restart_until_somebody_talks() {
    let scene = with_contacts(2).await;
    let kept = scene.claim_one("a", "contact-0", now()).await;
    let kept = kept.unwrap().unwrap();
    let talks = scene.claim("a", 1, now()).await.attempts.remove(0);
    let writes = [answered(&talks, 10), bridged(&talks, 11, false)];
    scene.store().apply(&writes).await.unwrap();
    let restored = scene.store().restore().await.unwrap();
    let of = |new: &NewAttempt| {
        let found = restored.calls.iter().find_map(|call| match &call.kind {
            Kind::Outbound(facts) if facts.attempt == new.attempt => {
                Some((facts.clone(), call.bridged.clone()))
            }
            Kind::Outbound(_) | Kind::Inbound(_) => None,
        });
        found.unwrap()
    };
    let (facts, bridged) = of(&kept);
    assert_eq!((facts.wanted_agent, bridged), (Some(user()), None));
    assert_eq!(facts.segment, kept.segment, "pacing goes on learning by it");
    let (facts, bridged) = of(&talks);
    assert_eq!(
        (facts.wanted_agent, bridged),
        (None, Some((at(11), user())))
    );
}
