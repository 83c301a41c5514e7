//! What is heard and sent on a channel: hold, music, supervision, recording,
//! digits, fax, quality.

use std::borrow::Cow;
use std::time::Duration;

use super::channel::Channel;
use super::fields::{channel, flag, millis, number, some_channel, some_text, text, word};
use super::table::payload;
use super::words::DtmfDirection;
use crate::message::Message;

payload! {
    /// A party is put on hold by the party at the channel.
    Hold requires ["Channel", "Uniqueid"] {
        /// Who holds the other.
        channel -> Channel<'_> = channel("");
        /// The music that was asked for.
        music_class -> Option<Cow<'_, str>> = some_text("MusicClass");
    }
}

payload! {
    /// A channel hears music.
    MusicOnHoldStart requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// The class of music.
        class -> Cow<'_, str> = text("Class");
    }
}

payload! {
    /// Somebody listens to a channel, or no longer (`ChanSpy`).
    ChanSpy requires ["SpyerChannel"] {
        /// Who listens.
        spyer -> Channel<'_> = channel("Spyer");
        /// Who is listened to.
        spyee -> Option<Channel<'_>> = some_channel("Spyee");
    }
}

payload! {
    /// The party at a channel has stopped talking (needs `TALK_DETECT`).
    ChannelTalkingStop requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// For how long it talked.
        duration -> Option<Duration> = millis("Duration");
    }
}

payload! {
    /// A part of a recording is silent, or no longer.
    MixMonitorMute requires ["Channel", "Uniqueid"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// `read`, `write` or `both`.
        direction -> Cow<'_, str> = text("Direction");
        /// Whether it is silent now.
        muted -> bool = flag("State");
    }
}

payload! {
    /// A digit begins or ends.
    Dtmf requires ["Channel", "Uniqueid", "Digit"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// `0` to `9`, `A` to `D`, `*` or `#`.
        digit -> Cow<'_, str> = text("Digit");
        /// Whether it was pressed or is played.
        direction -> DtmfDirection = word("Direction");
        /// How long it lasted (`DTMFEnd`).
        duration -> Option<Duration> = millis("DurationMs");
    }
}

payload! {
    /// How a fax goes on.
    FaxStatus requires ["Channel"] {
        /// The channel.
        channel -> Channel<'_> = channel("");
        /// `gateway`, `receive` or `send`.
        operation -> Cow<'_, str> = text("Operation");
        /// What happens, in words.
        status -> Cow<'_, str> = text("Status");
        /// Name of this station.
        local_station_id -> Cow<'_, str> = text("LocalStationID");
        /// The file.
        file_name -> Cow<'_, str> = text("FileName");
    }
}

payload! {
    /// A report about the quality of a stream, sent or received (`rtp_engine.c`).
    RtcpReport requires ["SSRC"] {
        /// The channel.
        channel -> Option<Channel<'_>> = some_channel("");
        /// Identity of the stream, such as `0x6a3d5f10`.
        ssrc -> Cow<'_, str> = text("SSRC");
        /// `200(SR)` or `201(RR)`.
        packet_type -> Cow<'_, str> = text("PT");
        /// Where it came from (`RTCPReceived`).
        from -> Option<Cow<'_, str>> = some_text("From");
        /// Where it went to (`RTCPSent`).
        to -> Option<Cow<'_, str>> = some_text("To");
        /// Round trip, in seconds.
        rtt -> Option<f64> = number("RTT");
        /// Estimated quality, 0 to 100 (late 18 and later).
        media_experience_score -> Option<f64> = number("MES");
        /// How many `Report0…` blocks follow.
        report_count -> Option<u32> = number("ReportCount");
        /// Share of lost packets since the last report, in 1/256.
        fraction_lost -> Option<u32> = number("Report0FractionLost");
        /// Packets lost since the begin.
        cumulative_lost -> Option<u32> = number("Report0CumulativeLost");
        /// Variation of the delay, in units of the clock of the codec.
        jitter -> Option<u32> = number("Report0IAJitter");
    }
}

payload! {
    /// What a call costs, as told by the network (`aoc.c`).
    AdviceOfCharge requires [] {
        /// The channel.
        channel -> Option<Channel<'_>> = some_channel("");
        /// `Currency`, `Units`, `Free` or `NotAvailable` (`AOC-D`, `AOC-E`).
        charge_type -> Cow<'_, str> = text("Type");
        /// Why it is charged so.
        billing_id -> Cow<'_, str> = text("BillingID");
        /// `SubTotal` or `Total` (`AOC-D`).
        total_type -> Cow<'_, str> = text("TotalType");
        /// The currency.
        currency -> Option<Cow<'_, str>> = some_text("Currency/Name");
        /// The amount, in the currency and its multiplier.
        cost -> Option<u64> = number("Currency/Cost");
        /// `1/100`, `1` and the like.
        multiplier -> Option<Cow<'_, str>> = some_text("Currency/Multiplier");
    }
}
