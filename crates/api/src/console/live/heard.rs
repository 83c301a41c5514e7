//! What consoles say. Who says it is known from the socket; what the message claims is not read.

use serde::Deserialize;
use serde_json::{Value, json};
use strowger_core::{
    ids::UserId,
    permission::{Permission, Role},
    switchboard::Command,
};
use strowger_store::users::User;

use super::{
    Audience, Frame, Note,
    board::agent_status,
    presence::{begin, tell},
    status::{self, Wish},
};
use crate::{
    problem::Problem,
    state::{App, Shared},
};

/// Longest text that people write to each other.
const MAX_TEXT: usize = 2_000;

#[derive(Debug, Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    payload: Value,
}

impl Message {
    /// A text of the payload that may be passed on: neither empty nor endless.
    fn text(&self, name: &str) -> Option<&str> {
        let text = self.payload.get(name)?.as_str()?.trim();
        (!text.is_empty() && text.chars().count() <= MAX_TEXT).then_some(text)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Said<'a> {
    Status(&'a str),
    RaisedHand,
    ToAgent(UserId, &'a str),
    ToSupervisors(&'a str),
    Planning,
}

impl<'a> Said<'a> {
    fn of(message: &'a Message) -> Option<Self> {
        Some(match message.kind.as_str() {
            "agentStatusChange" => Self::Status(message.text("status")?),
            "agentRaisedHand" | "agentRaiseHand" => Self::RaisedHand,
            "supervisorResponseToAgent" => {
                let agent = UserId::new(message.text("agentId")?).ok()?;
                Self::ToAgent(agent, message.text("message")?)
            }
            "agentResponseToSupervisor" => Self::ToSupervisors(message.text("message")?),
            "planningUpdated" => Self::Planning,
            _ => return None,
        })
    }
}

/// Does what a console asks for; what it does not understand is ignored, as it always was.
pub(super) async fn take(app: &Shared, user: &User, text: &str) {
    let Ok(message) = serde_json::from_str::<Message>(text) else {
        return;
    };
    let Some(said) = Said::of(&message) else {
        return;
    };
    let supervises = user.role.may(Permission::ManageAgents);
    match said {
        Said::Status(status) => {
            if let Err(problem) = change_status(app, user, status).await {
                tell(app, &user.id, problem.detail());
                tell_truth(app, &user.id);
            }
        }
        Said::RaisedHand => {
            let payload = json!({
                "agentId": user.id,
                "agentName": user.display_name(),
                "agentLoginId": user.login_id,
            });
            to_supervisors(app, "agentRaisedHand", payload);
        }
        Said::ToAgent(agent, message) if supervises => {
            let from = user.display_name();
            app.console.note(&agent, &Note::new(app, &from, message));
        }
        Said::ToSupervisors(message) => {
            let payload = json!({
                "agentId": user.id,
                "agentName": user.display_name(),
                "message": message,
            });
            to_supervisors(app, "agentResponseMessage", payload);
        }
        Said::Planning if supervises => to_supervisors(app, "planningUpdated", json!({})),
        Said::ToAgent(..) | Said::Planning => {}
    }
}

fn to_supervisors(app: &App, kind: &str, payload: Value) {
    app.console
        .send(vec![Frame::new(Audience::Supervisors, kind, payload)]);
}

/// The console believes something else: it is told what is so.
fn tell_truth(app: &App, user: &UserId) {
    let view = app.api.hub.agent(user);
    let status = view.as_deref().map_or(status::DISCONNECTED, status::of);
    app.console.send(vec![agent_status(
        Audience::User(user.clone()),
        user,
        status,
    )]);
}

async fn change_status(app: &App, user: &User, status: &str) -> Result<(), Problem> {
    if status.chars().count() > status::MAX_LEN {
        return Err(Problem::field(
            "status",
            "a status has at most 100 characters",
        ));
    }
    if user.role != Role::Agent {
        return Err(Problem::forbidden("only agents have a status"));
    }
    let agent = &user.id;
    let Some(view) = app.api.hub.agent(agent) else {
        return match status {
            status::DISCONNECTED => Ok(()),
            status::AVAILABLE => {
                begin(app, user).await?;
                send(app, Command::Ready(agent.clone())).await
            }
            activity => {
                begin(app, user).await?;
                pause(app, agent, activity.to_owned()).await
            }
        };
    };
    match status::wish(status, &view) {
        Wish::Ready(wrapping_up) => {
            send(app, Command::Ready(agent.clone())).await?;
            if wrapping_up {
                send(app, Command::EndWrapUp(agent.clone())).await?;
            }
            Ok(())
        }
        Wish::Pause(reason, looking) => {
            pause(app, agent, reason).await?;
            if looking {
                send(app, Command::SkipPreview(agent.clone())).await?;
            }
            Ok(())
        }
        Wish::HangUp => match view.call_id {
            Some(call) => send(app, Command::HangUp(call)).await,
            None => Ok(()),
        },
        Wish::LogOut => send(app, Command::LogOut(agent.clone())).await,
        Wish::Nothing => Ok(()),
    }
}

async fn pause(app: &App, agent: &UserId, reason: String) -> Result<(), Problem> {
    let agent = agent.clone();
    send(app, Command::Pause { agent, reason }).await
}

async fn send(app: &App, command: Command) -> Result<(), Problem> {
    Ok(app.api.exchange.send(command).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<String> {
        let message: Message = serde_json::from_str(text).unwrap();
        Said::of(&message).map(|said| format!("{said:?}"))
    }

    #[test]
    fn every_message_of_the_console_is_understood() {
        for (text, understood) in [
            (
                r#"{"type":"agentStatusChange","payload":{"agentId":"usr_9","status":"En Pause"}}"#,
                "Status(\"En Pause\")",
            ),
            (
                r#"{"type":"agentRaisedHand","payload":{"agentId":"usr_9"}}"#,
                "RaisedHand",
            ),
            (r#"{"type":"agentRaiseHand"}"#, "RaisedHand"),
            (
                r#"{"type":"supervisorResponseToAgent","payload":{"agentId":"usr_9","message":"m","from":"f"}}"#,
                "ToAgent(usr_9, \"m\")",
            ),
            (
                r#"{"type":"agentResponseToSupervisor","payload":{"agentName":"A","message":"m"}}"#,
                "ToSupervisors(\"m\")",
            ),
            (r#"{"type":"planningUpdated"}"#, "Planning"),
            (r#"{"type":"planningUpdated","payload":{}}"#, "Planning"),
        ] {
            assert_eq!(said(text).as_deref(), Some(understood), "{text}");
        }
    }

    #[test]
    fn what_is_empty_endless_or_unknown_is_not_passed_on() {
        let reply = |message: &str| {
            said(&format!(
                r#"{{"type":"agentResponseToSupervisor","payload":{{"message":"{message}"}}}}"#
            ))
        };
        assert_eq!(reply("  "), None);
        assert_eq!(reply(&"x".repeat(2_001)), None);
        assert_eq!(said(r#"{"type":"nonsense","payload":7}"#), None);
        assert_eq!(said(r#"{"type":"agentStatusChange","payload":7}"#), None);
    }
}
