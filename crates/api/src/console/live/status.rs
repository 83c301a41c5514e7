//! The console's words for what an agent is doing. Pure.

use strowger_core::{
    agent::{AgentState, LEG_LOST, LOGGED_IN, NO_ANSWER},
    live::AgentView,
};

pub(super) const AVAILABLE: &str = "En Attente";
pub(super) const ON_CALL: &str = "En Appel";
pub(super) const WRAP_UP: &str = "En Post-Appel";
pub(super) const PAUSED: &str = "En Pause";
pub(super) const RINGING: &str = "Ringing";
pub(super) const ON_HOLD: &str = "Mise en attente";
pub(super) const DISCONNECTED: &str = "Déconnecté";

/// Longest status that an agent chooses: the name of an activity.
pub(super) const MAX_LEN: usize = 100;

/// What the console calls the state of an agent.
pub(super) fn of(view: &AgentView) -> &str {
    match &view.state {
        AgentState::Offline => DISCONNECTED,
        AgentState::Available => AVAILABLE,
        // A contact that the agent only looks at leaves them free to do something else.
        AgentState::Preview => match &view.preview {
            Some(preview) if preview.asked => ON_CALL,
            Some(_) | None => AVAILABLE,
        },
        AgentState::Reserved | AgentState::Ringing => RINGING,
        AgentState::OnCall => ON_CALL,
        AgentState::OnHold => ON_HOLD,
        AgentState::WrapUp => WRAP_UP,
        AgentState::Paused(reason) => match reason.as_str() {
            LOGGED_IN | LEG_LOST | NO_ANSWER | "" => PAUSED,
            reason => reason,
        },
    }
}

/// What an agent who has a session asks for with a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// Take calls; with `true` end the wrap-up first.
    Ready(bool),
    /// Pause for this reason; with `true` give back the contact that they look at first.
    Pause(String, bool),
    /// End the call: it was qualified.
    HangUp,
    /// Leave the station.
    LogOut,
    /// Nothing: it is so already, or only the exchange knows.
    Nothing,
}

/// What a status means that an agent asked for, or that their console believes.
pub(super) fn wish(status: &str, view: &AgentView) -> Wish {
    let looking = view.state == AgentState::Preview;
    match status {
        AVAILABLE => Wish::Ready(view.state == AgentState::WrapUp),
        DISCONNECTED => Wish::LogOut,
        // The console says these as soon as it has a contact; the exchange says when it is so.
        ON_CALL | RINGING | ON_HOLD => Wish::Nothing,
        WRAP_UP => match &view.state {
            AgentState::Reserved
            | AgentState::Ringing
            | AgentState::OnCall
            | AgentState::OnHold => Wish::HangUp,
            AgentState::WrapUp | AgentState::Offline => Wish::Nothing,
            AgentState::Available | AgentState::Preview | AgentState::Paused(_) => {
                Wish::Pause(WRAP_UP.to_owned(), looking)
            }
        },
        activity => Wish::Pause(activity.to_owned(), looking),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use strowger_core::{
        agent::LegMode,
        ids::{AgentSessionId, UserId},
        live::PreviewView,
        time::Timestamp,
    };
    use uuid::Uuid;

    use super::*;

    pub(in super::super) fn agent(id: &str, state: AgentState) -> AgentView {
        AgentView {
            id: UserId::new(id).unwrap(),
            name: "Ada".to_owned(),
            session_id: AgentSessionId(Uuid::nil()),
            state,
            since: Timestamp::UNIX_EPOCH,
            station: "PJSIP/1001".to_owned(),
            leg_mode: LegMode::NailedUp,
            reachable: true,
            call_id: None,
            preview: None,
            notice: None,
            busy_ms: 0,
            waiting_ms: 0,
        }
    }

    #[test]
    fn every_state_has_a_name_that_the_console_knows() {
        let paused = |reason: &str| AgentState::Paused(reason.to_owned());
        for (state, status) in [
            (AgentState::Offline, "Déconnecté"),
            (AgentState::Available, "En Attente"),
            (AgentState::Preview, "En Attente"),
            (AgentState::Reserved, "Ringing"),
            (AgentState::Ringing, "Ringing"),
            (AgentState::OnCall, "En Appel"),
            (AgentState::OnHold, "Mise en attente"),
            (AgentState::WrapUp, "En Post-Appel"),
            (paused(LOGGED_IN), "En Pause"),
            (paused(LEG_LOST), "En Pause"),
            (paused(NO_ANSWER), "En Pause"),
            (paused("Formation"), "Formation"),
        ] {
            assert_eq!(of(&agent("usr_1", state)), status);
        }
        let mut asked = agent("usr_1", AgentState::Preview);
        asked.preview = Some(PreviewView {
            campaign_id: "cmp_1".to_owned().try_into().unwrap(),
            contact_id: None,
            until: Timestamp::UNIX_EPOCH,
            asked: true,
        });
        assert_eq!(of(&asked), "En Appel");
    }

    #[test]
    fn an_agent_who_qualifies_while_talking_ends_the_call() {
        for state in [
            AgentState::OnCall,
            AgentState::OnHold,
            AgentState::Ringing,
            AgentState::Reserved,
        ] {
            assert_eq!(wish("En Post-Appel", &agent("usr_1", state)), Wish::HangUp);
        }
        assert_eq!(
            wish("En Post-Appel", &agent("usr_1", AgentState::WrapUp)),
            Wish::Nothing
        );
        let pause = Wish::Pause("En Post-Appel".to_owned(), true);
        assert_eq!(
            wish("En Post-Appel", &agent("usr_1", AgentState::Preview)),
            pause
        );
    }

    #[test]
    fn what_only_the_exchange_knows_is_not_believed() {
        for status in ["En Appel", "Ringing", "Mise en attente"] {
            assert_eq!(
                wish(status, &agent("usr_1", AgentState::Available)),
                Wish::Nothing
            );
        }
    }

    #[test]
    fn the_name_of_an_activity_is_the_reason_of_a_pause() {
        let available = agent("usr_1", AgentState::Available);
        let formation = Wish::Pause("Formation".to_owned(), false);
        assert_eq!(wish("Formation", &available), formation);
        assert_eq!(wish("En Attente", &available), Wish::Ready(false));
        assert_eq!(
            wish("En Attente", &agent("usr_1", AgentState::WrapUp)),
            Wish::Ready(true)
        );
    }
}
