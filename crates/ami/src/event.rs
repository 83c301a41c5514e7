//! Events with typed fields.
//!
//! To add one: its fields with `payload!` in the file of its topic (or reuse
//! [`ChannelEvent`]), and its line in the table below. Whatever has no line
//! arrives as [`Event::Other`], with the whole frame.

mod agi;
mod bridge;
mod call;
mod channel;
mod confbridge;
mod fields;
pub mod lists;
mod media;
mod queue;
mod record;
mod security;
mod set;
mod state;
mod system;
mod table;
mod transfer;
mod trunk;
mod words;

pub use agi::*;
pub use bridge::*;
pub use call::*;
pub use channel::{Bridge, Channel, ChannelState};
pub use confbridge::*;
pub use media::*;
pub use queue::*;
pub use record::*;
pub use security::*;
pub use set::EventSet;
pub use state::*;
pub use system::*;
pub use transfer::*;
pub use trunk::*;
pub use words::{
    AgentState, CdrDisposition, CompleteReason, ContactState, DeviceState, DialStatus,
    DtmfDirection, ExtensionState, PeerState, PresenceState, RegistrationState, SecuritySeverity,
    TransferDestination, TransferResult,
};

use crate::message::Message;
use table::event_table;

/// A class of `manager.h`: what an account may read, and what a session asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventClass {
    /// `system`.
    System,
    /// `call`.
    Call,
    /// `agent`.
    Agent,
    /// `user`.
    User,
    /// `dtmf`.
    Dtmf,
    /// `reporting`.
    Reporting,
    /// `cdr`.
    Cdr,
    /// `dialplan`.
    Dialplan,
    /// `agi`.
    Agi,
    /// `cc`: call completion.
    Cc,
    /// `aoc`: advice of charge.
    Aoc,
    /// `security`.
    Security,
    /// `message`.
    Message,
}

impl EventClass {
    /// Every class.
    pub const ALL: &[Self] = &[
        Self::System,
        Self::Call,
        Self::Agent,
        Self::User,
        Self::Dtmf,
        Self::Reporting,
        Self::Cdr,
        Self::Dialplan,
        Self::Agi,
        Self::Cc,
        Self::Aoc,
        Self::Security,
        Self::Message,
    ];

    /// Its name in `manager.conf` and in an `EventMask`.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Call => "call",
            Self::Agent => "agent",
            Self::User => "user",
            Self::Dtmf => "dtmf",
            Self::Reporting => "reporting",
            Self::Cdr => "cdr",
            Self::Dialplan => "dialplan",
            Self::Agi => "agi",
            Self::Cc => "cc",
            Self::Aoc => "aoc",
            Self::Security => "security",
            Self::Message => "message",
        }
    }
}

event_table! {
    /// `Newchannel`: a channel exists.
    NewChannel(ChannelEvent) = "Newchannel" in Call;
    /// `Newstate`: the state of a channel changed.
    NewState(ChannelEvent) = "Newstate" in Call;
    /// `Rename`: a channel has another name.
    Rename(Rename) = "Rename" in Call;
    /// `NewCallerid`: the caller ID of a channel.
    NewCallerId(NewCallerId) = "NewCallerid" in Call;
    /// `NewConnectedLine`: whom a channel talks to.
    NewConnectedLine(ChannelEvent) = "NewConnectedLine" in Call;
    /// `NewAccountCode`: the account code of a channel.
    NewAccountCode(NewAccountCode) = "NewAccountCode" in Call;
    /// `Newexten`: a step of the dialplan.
    NewExten(NewExten) = "Newexten" in Dialplan;
    /// `VarSet`: a variable has another value.
    VarSet(VarSet) = "VarSet" in Dialplan;
    /// `HangupHandlerPush`: something will run when the channel hangs up.
    HangupHandlerPush(HangupHandler) = "HangupHandlerPush" in Dialplan;
    /// `HangupHandlerPop`: it will not run.
    HangupHandlerPop(HangupHandler) = "HangupHandlerPop" in Dialplan;
    /// `HangupHandlerRun`: it runs.
    HangupHandlerRun(HangupHandler) = "HangupHandlerRun" in Dialplan;
    /// `Hangup`: a channel is gone.
    Hangup(Hangup) = "Hangup" in Call;
    /// `HangupRequest`: a channel will soon be gone.
    HangupRequest(HangupRequest) = "HangupRequest" in Call;
    /// `SoftHangupRequest`: a channel will soon be gone.
    SoftHangupRequest(HangupRequest) = "SoftHangupRequest" in Call;
    /// `DialBegin`: a channel is being called.
    DialBegin(Dial) = "DialBegin" in Call;
    /// `DialState`: ringing, progress or proceeding.
    DialState(Dial) = "DialState" in Call;
    /// `DialEnd`: the outcome of a dial; one channel may get two of them.
    DialEnd(Dial) = "DialEnd" in Call;
    /// `OriginateResponse`: the outcome of an asynchronous Originate. It comes
    /// before the `Hangup` of the channel.
    OriginateResponse(OriginateResponse) = "OriginateResponse" in Call;
    /// `BridgeCreate`.
    BridgeCreate(BridgeEvent) = "BridgeCreate" in Call;
    /// `BridgeEnter`: a channel is in a bridge.
    BridgeEnter(BridgeChannel) = "BridgeEnter" in Call;
    /// `BridgeLeave`: a channel is no longer in a bridge.
    BridgeLeave(BridgeChannel) = "BridgeLeave" in Call;
    /// `BridgeDestroy`.
    BridgeDestroy(BridgeEvent) = "BridgeDestroy" in Call;
    /// `BridgeMerge`: two bridges become one.
    BridgeMerge(BridgeMerge) = "BridgeMerge" in Call;
    /// `BridgeVideoSourceUpdate`: another channel is seen.
    BridgeVideoSourceUpdate(BridgeVideoSourceUpdate) = "BridgeVideoSourceUpdate" in Call;
    /// `LocalBridge`: the halves of a `Local` channel are joined.
    LocalBridge(LocalBridge) = "LocalBridge" in Call;
    /// `LocalOptimizationBegin`: a `Local` channel is about to disappear.
    LocalOptimizationBegin(LocalOptimization) = "LocalOptimizationBegin" in Call;
    /// `LocalOptimizationEnd`: it has, or not.
    LocalOptimizationEnd(LocalOptimization) = "LocalOptimizationEnd" in Call;
    /// `BlindTransfer`.
    BlindTransfer(BlindTransfer) = "BlindTransfer" in Call;
    /// `AttendedTransfer`.
    AttendedTransfer(AttendedTransfer) = "AttendedTransfer" in Call;
    /// `Pickup`: somebody answered the call of another phone.
    Pickup(Pickup) = "Pickup" in Call;
    /// `ParkedCall`: a call is parked.
    ParkedCall(ParkedCall) = "ParkedCall" in Call;
    /// `ParkedCallTimeOut`: nobody took it in time.
    ParkedCallTimeOut(ParkedCall) = "ParkedCallTimeOut" in Call;
    /// `ParkedCallGiveUp`: it hung up.
    ParkedCallGiveUp(ParkedCall) = "ParkedCallGiveUp" in Call;
    /// `ParkedCallSwap`: another channel took its place.
    ParkedCallSwap(ParkedCall) = "ParkedCallSwap" in Call;
    /// `ParkedCallFailed`: it could not be parked.
    ParkedCallFailed(ParkedCall) = "ParkedCallFailed" in Call;
    /// `UnParkedCall`: somebody took it.
    UnParkedCall(ParkedCall) = "UnParkedCall" in Call;
    /// `Hold`.
    Hold(Hold) = "Hold" in Call;
    /// `Unhold`.
    Unhold(ChannelEvent) = "Unhold" in Call;
    /// `MusicOnHoldStart`.
    MusicOnHoldStart(MusicOnHoldStart) = "MusicOnHoldStart" in Call;
    /// `MusicOnHoldStop`.
    MusicOnHoldStop(ChannelEvent) = "MusicOnHoldStop" in Call;
    /// `ChanSpyStart`: somebody listens.
    ChanSpyStart(ChanSpy) = "ChanSpyStart" in Call;
    /// `ChanSpyStop`: nobody listens any more.
    ChanSpyStop(ChanSpy) = "ChanSpyStop" in Call;
    /// `ChannelTalkingStart`: the party talks.
    ChannelTalkingStart(ChannelEvent) = "ChannelTalkingStart" in Call;
    /// `ChannelTalkingStop`: the party is silent.
    ChannelTalkingStop(ChannelTalkingStop) = "ChannelTalkingStop" in Call;
    /// `MixMonitorStart`: a recording begins.
    MixMonitorStart(ChannelEvent) = "MixMonitorStart" in Call;
    /// `MixMonitorStop`: a recording ends.
    MixMonitorStop(ChannelEvent) = "MixMonitorStop" in Call;
    /// `MixMonitorMute`: a recording is silent, or no longer.
    MixMonitorMute(MixMonitorMute) = "MixMonitorMute" in Call;
    /// `MonitorStart`: a recording of `app_monitor` begins (16 to 20).
    MonitorStart(ChannelEvent) = "MonitorStart" in Call;
    /// `MonitorStop`: a recording of `app_monitor` ends (16 to 20).
    MonitorStop(ChannelEvent) = "MonitorStop" in Call;
    /// `DTMFBegin`.
    DtmfBegin(Dtmf) = "DTMFBegin" in Dtmf;
    /// `DTMFEnd`.
    DtmfEnd(Dtmf) = "DTMFEnd" in Dtmf;
    /// `Flash`: a hook flash.
    Flash(ChannelEvent) = "Flash" in Call;
    /// `Wink`: a wink of an analogue line.
    Wink(ChannelEvent) = "Wink" in Call;
    /// `FAXStatus`.
    FaxStatus(FaxStatus) = "FAXStatus" in Call;
    /// `RTCPSent`.
    RtcpSent(RtcpReport) = "RTCPSent" in Reporting;
    /// `RTCPReceived`.
    RtcpReceived(RtcpReport) = "RTCPReceived" in Reporting;
    /// `AOC-S`: what calls will cost.
    AocS(AdviceOfCharge) = "AOC-S" in Aoc;
    /// `AOC-D`: what the call costs until now.
    AocD(AdviceOfCharge) = "AOC-D" in Aoc;
    /// `AOC-E`: what the call has cost.
    AocE(AdviceOfCharge) = "AOC-E" in Aoc;
    /// `ConfbridgeStart`: a conference begins.
    ConfbridgeStart(Confbridge) = "ConfbridgeStart" in Call;
    /// `ConfbridgeEnd`: a conference ends.
    ConfbridgeEnd(Confbridge) = "ConfbridgeEnd" in Call;
    /// `ConfbridgeJoin`: somebody joins.
    ConfbridgeJoin(ConfbridgeChannel) = "ConfbridgeJoin" in Call;
    /// `ConfbridgeLeave`: somebody leaves.
    ConfbridgeLeave(ConfbridgeChannel) = "ConfbridgeLeave" in Call;
    /// `ConfbridgeMute`: somebody is muted.
    ConfbridgeMute(ConfbridgeChannel) = "ConfbridgeMute" in Call;
    /// `ConfbridgeUnmute`: somebody is heard again.
    ConfbridgeUnmute(ConfbridgeChannel) = "ConfbridgeUnmute" in Call;
    /// `ConfbridgeTalking`: somebody talks, or no longer.
    ConfbridgeTalking(ConfbridgeChannel) = "ConfbridgeTalking" in Call;
    /// `ConfbridgeRecord`: the recording begins.
    ConfbridgeRecord(Confbridge) = "ConfbridgeRecord" in Call;
    /// `ConfbridgeStopRecord`: the recording ends.
    ConfbridgeStopRecord(Confbridge) = "ConfbridgeStopRecord" in Call;
    /// `QueueCallerJoin`.
    QueueCallerJoin(QueueCaller) = "QueueCallerJoin" in Agent;
    /// `QueueCallerLeave`: answered, gave up or went on.
    QueueCallerLeave(QueueCaller) = "QueueCallerLeave" in Agent;
    /// `QueueCallerAbandon`: gave up.
    QueueCallerAbandon(QueueCallerAbandon) = "QueueCallerAbandon" in Agent;
    /// `AgentCalled`: a queue calls an agent.
    AgentCalled(AgentCall) = "AgentCalled" in Agent;
    /// `AgentConnect`: the agent has the caller.
    AgentConnect(AgentConnect) = "AgentConnect" in Agent;
    /// `AgentComplete`: they have talked.
    AgentComplete(AgentComplete) = "AgentComplete" in Agent;
    /// `AgentRingNoAnswer`: the agent did not answer.
    AgentRingNoAnswer(AgentRingNoAnswer) = "AgentRingNoAnswer" in Agent;
    /// `AgentDump`: the agent hung up during the announcement.
    AgentDump(AgentCall) = "AgentDump" in Agent;
    /// `QueueMemberAdded`: a member joins.
    QueueMemberAdded(QueueMemberEvent) = "QueueMemberAdded" in Agent;
    /// `QueueMemberRemoved`: a member leaves.
    QueueMemberRemoved(QueueMemberEvent) = "QueueMemberRemoved" in Agent;
    /// `QueueMemberPause`: a member pauses, or no longer.
    QueueMemberPause(QueueMemberEvent) = "QueueMemberPause" in Agent;
    /// `QueueMemberPenalty`: another penalty.
    QueueMemberPenalty(QueueMemberEvent) = "QueueMemberPenalty" in Agent;
    /// `QueueMemberRinginuse`: another answer to whether it is called while in use.
    QueueMemberRinginuse(QueueMemberEvent) = "QueueMemberRinginuse" in Agent;
    /// `QueueMemberStatus`: another state of the device, or a call ended.
    QueueMemberStatus(QueueMemberEvent) = "QueueMemberStatus" in Agent;
    /// `AgentLogin`: an agent of `app_agent_pool` logs in.
    AgentLogin(AgentLogin) = "AgentLogin" in Agent;
    /// `AgentLogoff`: an agent of `app_agent_pool` logs off.
    AgentLogoff(AgentLogin) = "AgentLogoff" in Agent;
    /// `DeviceStateChange`.
    DeviceStateChange(DeviceStateChange) = "DeviceStateChange" in Call;
    /// `ExtensionStatus`.
    ExtensionStatus(ExtensionStatus) = "ExtensionStatus" in Call;
    /// `PresenceStateChange`.
    PresenceStateChange(PresenceStateChange) = "PresenceStateChange" in Call;
    /// `PresenceStatus`.
    PresenceStatus(PresenceStatus) = "PresenceStatus" in Call;
    /// `MessageWaiting`: messages of a mailbox.
    MessageWaiting(MessageWaiting) = "MessageWaiting" in Call;
    /// `ContactStatus`: a contact of PJSIP.
    ContactStatus(ContactStatus) = "ContactStatus" in System;
    /// `PeerStatus`: a phone or a trunk.
    PeerStatus(PeerStatus) = "PeerStatus" in System;
    /// `Registry`: a registration of ours with a provider.
    Registry(Registry) = "Registry" in System;
    /// `SIPQualifyPeerDone` (`chan_sip`, 16 to 20).
    SipQualifyPeerDone(SipQualifyPeerDone) = "SIPQualifyPeerDone" in Call;
    /// `SessionTimeout` (`chan_sip`, 16 to 20).
    SessionTimeout(SessionTimeout) = "SessionTimeout" in Call;
    /// `PJSIPMaintenanceStatus` (late 20, 22, 23).
    PjsipMaintenanceStatus(PjsipMaintenanceStatus) = "PJSIPMaintenanceStatus" in System;
    /// `DNDState`: do not disturb on a channel of DAHDI.
    DndState(DndState) = "DNDState" in System;
    /// `Cdr`: a call record.
    Cdr(Cdr) = "Cdr" in Cdr;
    /// `CEL`: a record of one step of a call.
    Cel(Cel) = "CEL" in Call;
    /// `FullyBooted`: Asterisk has loaded everything.
    FullyBooted(FullyBooted) = "FullyBooted" in System;
    /// `Shutdown`: Asterisk ends.
    Shutdown(Shutdown) = "Shutdown" in System;
    /// `Reload`: a module read its configuration.
    Reload(ModuleEvent) = "Reload" in System;
    /// `Load`: a module was loaded.
    Load(ModuleEvent) = "Load" in System;
    /// `Unload`: a module was unloaded.
    Unload(ModuleEvent) = "Unload" in System;
    /// `LogChannel`: a file of the log.
    LogChannel(LogChannel) = "LogChannel" in System;
    /// `DeadlockStart`: Asterisk may be blocked.
    DeadlockStart(DeadlockStart) = "DeadlockStart" in System;
    /// `AsyncAGIStart`: a channel waits for commands.
    AsyncAgiStart(AsyncAgiStart) = "AsyncAGIStart" in Agi;
    /// `AsyncAGIExec`: a command is done.
    AsyncAgiExec(AsyncAgiExec) = "AsyncAGIExec" in Agi;
    /// `AsyncAGIEnd`: the channel waits no longer.
    AsyncAgiEnd(ChannelEvent) = "AsyncAGIEnd" in Agi;
    /// `AGIExecStart`.
    AgiExecStart(AgiExec) = "AGIExecStart" in Agi;
    /// `AGIExecEnd`.
    AgiExecEnd(AgiExec) = "AGIExecEnd" in Agi;
    /// `FailedACL`: an access list refused.
    FailedAcl(SecurityEvent) = "FailedACL" in Security;
    /// `InvalidAccountID`: no such account.
    InvalidAccountId(SecurityEvent) = "InvalidAccountID" in Security;
    /// `SessionLimit`: too many sessions.
    SessionLimit(SecurityEvent) = "SessionLimit" in Security;
    /// `MemoryLimit`: too little memory.
    MemoryLimit(SecurityEvent) = "MemoryLimit" in Security;
    /// `LoadAverageLimit`: too much load.
    LoadAverageLimit(SecurityEvent) = "LoadAverageLimit" in Security;
    /// `RequestNotSupported`: unknown request.
    RequestNotSupported(SecurityEvent) = "RequestNotSupported" in Security;
    /// `RequestNotAllowed`: forbidden request.
    RequestNotAllowed(SecurityEvent) = "RequestNotAllowed" in Security;
    /// `AuthMethodNotAllowed`: forbidden way of proof.
    AuthMethodNotAllowed(SecurityEvent) = "AuthMethodNotAllowed" in Security;
    /// `RequestBadFormat`: broken request.
    RequestBadFormat(SecurityEvent) = "RequestBadFormat" in Security;
    /// `SuccessfulAuth`: somebody got in.
    SuccessfulAuth(SecurityEvent) = "SuccessfulAuth" in Security;
    /// `UnexpectedAddress`: another address than before.
    UnexpectedAddress(SecurityEvent) = "UnexpectedAddress" in Security;
    /// `ChallengeResponseFailed`: wrong answer to a challenge.
    ChallengeResponseFailed(SecurityEvent) = "ChallengeResponseFailed" in Security;
    /// `InvalidPassword`: wrong password.
    InvalidPassword(SecurityEvent) = "InvalidPassword" in Security;
    /// `ChallengeSent`: a challenge was sent.
    ChallengeSent(SecurityEvent) = "ChallengeSent" in Security;
    /// `InvalidTransport`: forbidden transport.
    InvalidTransport(SecurityEvent) = "InvalidTransport" in Security;
    /// `UserEvent`: written by a dialplan or by another session.
    UserEvent(UserEvent) = "UserEvent" in User;
}

// EventSet has one bit for each.
const _: () = assert!(EventKind::ALL.len() <= 128);

impl EventKind {
    /// The kind of an event by its name on the wire; letter case does not matter
    /// (`NewExten` is written `Newexten`).
    pub fn of_name(name: &[u8]) -> Self {
        let Ok(name) = std::str::from_utf8(name) else {
            return Self::Other;
        };
        let kind = Self::of_wire_name(name);
        if kind != Self::Other {
            return kind;
        }
        let other_case = |kind: &&Self| kind.name().eq_ignore_ascii_case(name);
        let found = Self::ALL.iter().find(other_case);
        found.copied().unwrap_or(Self::Other)
    }
}

impl Event {
    /// Types a frame. Never fails: what does not fit is [`Event::Other`].
    pub fn parse(raw: Message) -> Self {
        let kind = raw
            .headers()
            .next()
            .map_or(EventKind::Other, |(_, name)| EventKind::of_name(name));
        Self::of_kind(kind, raw)
    }
}
