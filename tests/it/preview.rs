//! `strowger compliance preview --campaign`: what becomes of a list on a day.

use serde_json::{Value, json};

use crate::harness::{Ground, Plan, program::run};

#[tokio::test]
async fn a_preview_says_how_many_contacts_each_rule_blocks() {
    let ground = Ground::new(Plan {
        agents: 1,
        contacts: 5,
        campaign: "packs = '{fr}', activity = 'solicitation', mode = 'predictive'",
        ..Plan::default()
    })
    .await;
    for statement in [
        // One agreed to be called, one agreed and then asked not to be.
        "INSERT INTO consents (id, number, channel, activity, statement, at, source)
         SELECT gen_random_uuid(), number, 'voice', 'solicitation', 'given', '2026-09-01', 'form'
         FROM contact_phones WHERE number IN ('+33639980000', '+33639980001')",
        "INSERT INTO opt_outs (id, number, channel, source, at)
         VALUES (gen_random_uuid(), '+33639980001', 'voice', 'a call', '2026-09-02')",
        // Done: nobody asks about them any more.
        "UPDATE contacts SET status = 'called' WHERE last_name = '4'",
    ] {
        sqlx::query(statement)
            .execute(ground.store.pool())
            .await
            .unwrap();
    }
    let config = ground.write_config("error");
    let campaign = ground.planted.campaign.settings.id.to_string();
    let ask = async |more: &[&str]| {
        let asked = [&["compliance", "preview", "--campaign", &campaign], more].concat();
        run(&config, &asked, "").await
    };
    let tuesday = ask(&["--date", "2026-09-08", "--json"]).await;
    assert_eq!(tuesday.code, 0, "{}", tuesday.err);
    let found: Value = serde_json::from_str(&tuesday.out).unwrap();
    assert_eq!(
        found["contacts"],
        json!({ "allowed": 1, "blocked": { "fr/consent": 2, "strowger/opt-out": 1 } })
    );
    assert_eq!(
        found["packs"][0]["id"], "fr",
        "only the packs of the campaign"
    );
    assert_eq!(found["packs"].as_array().unwrap().len(), 1);
    let sunday = ask(&["--date", "2026-09-06"]).await;
    for line in [
        "0 of 4 contacts may be called at some hour of the day.",
        "- 1 blocked all day by fr/calling-hours",
        "- 2 blocked all day by fr/consent",
        "- 1 blocked all day by strowger/opt-out",
    ] {
        assert!(sunday.out.contains(line), "{line}: {}", sunday.out);
    }
    let nobody = run(
        &config,
        &["compliance", "preview", "--campaign", "nothing"],
        "",
    )
    .await;
    assert_eq!(nobody.code, 1);
    assert!(
        nobody.err.contains("there is no campaign nothing"),
        "{}",
        nobody.err
    );
}
