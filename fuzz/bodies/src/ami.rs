//! Targets of `strowger_ami`.

use bytes::BufMut as _;
use strowger_ami::action::{MAX_ACTION_HEADERS, MAX_LINE_BYTES};
use strowger_ami::actions::{Application, Destination, OriginateRequest, originate};
use strowger_ami::codec::MAX_FRAME_BYTES;
use strowger_ami::{Action, DecodeError, Decoded, Decoder, Event, Kind, Message};

use crate::feed::Feed;
use crate::stream::Stream;

type Item = Result<Decoded, DecodeError>;

/// What a server sends: any bytes, in any pieces.
pub fn ami_decoder(input: &[u8]) {
    decoder(Decoder::new, input);
}

/// What a client sends: the same for the other end.
pub fn ami_server_decoder(input: &[u8]) {
    decoder(Decoder::for_server, input);
}

fn decoder(new: fn() -> Decoder, input: &[u8]) {
    let stream = Stream::of(input);
    let mut whole = new();
    whole.push(&stream.bytes);
    let mut expected = Vec::new();
    drain(&mut whole, &mut expected);

    let mut pieces = new();
    let mut found = Vec::new();
    for mut piece in stream.pieces() {
        while !piece.is_empty() {
            let space = pieces.space();
            let room = (space.capacity() - space.len()).min(piece.len());
            space.put_slice(&piece[..room]);
            piece = &piece[room..];
            drain(&mut pieces, &mut found);
        }
    }
    assert_eq!(found, expected, "the split changes what is found");
    assert_eq!(pieces.buffered(), whole.buffered());

    for item in found {
        look_at(item);
    }
    let _ = format!("{whole:?}");
}

fn drain(decoder: &mut Decoder, items: &mut Vec<Item>) {
    while let Some(item) = decoder.next() {
        items.push(item);
    }
    assert!(
        decoder.buffered() < MAX_FRAME_BYTES,
        "memory is not bounded"
    );
}

/// Reads everything that can be read of an item.
fn look_at(item: Item) {
    let message = match item {
        Ok(Decoded::Banner { version }) => {
            assert!(version.len() <= MAX_FRAME_BYTES);
            return;
        }
        Ok(Decoded::Frame(message)) => message,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let _ = format!("{message:?}");
    let _ = (message.name(), message.kind(), message.action_id());
    for (_, value) in message.headers() {
        let _ = strowger_ami::message::unescape(&String::from_utf8_lossy(value));
    }
    let event = Event::parse(message);
    let _ = format!("{event:?}");
    let _ = event.typed_fields();
}

/// The only frame of `bytes`, as a server reads it; `None` if it is longer than the
/// decoder takes.
fn only_frame(bytes: &[u8]) -> Option<Message> {
    let mut decoder = Decoder::for_server();
    decoder.push(bytes);
    let first = decoder.next();
    assert_eq!(decoder.next(), None, "there is a second frame");
    assert_eq!(decoder.buffered(), 0, "there is a rest");
    match first {
        Some(Ok(Decoded::Frame(message))) => Some(message),
        Some(Err(DecodeError::FrameTooLong)) if bytes.len() > MAX_FRAME_BYTES => None,
        other => panic!("{other:?}"),
    }
}

/// Any action is refused, or arrives as it is.
pub fn ami_action(input: &[u8]) {
    let mut feed = Feed::new(input);
    let (name, id) = (feed.text(), feed.text());
    // Some actions of a short input have very many headers.
    let copies = usize::from(feed.byte() % 2) * 40 + 1;
    let mut headers = Vec::new();
    while !feed.is_empty() && headers.len() <= MAX_ACTION_HEADERS {
        let header = (feed.text(), feed.text());
        headers.extend(std::iter::repeat_n(header, copies));
    }
    let mut action = Action::new(name.clone());
    for (key, value) in &headers {
        action = action.header(key.clone(), value.clone());
    }
    let Ok(bytes) = action.encode(&id) else {
        assert!(!is_harmless(&name, &id, &headers), "refused: {action:?}");
        return;
    };
    let Some(message) = only_frame(&bytes) else {
        return;
    };
    assert_eq!(message.kind(), Kind::Action);
    let sent = [("Action", &*name), ("ActionID", &*id)]
        .into_iter()
        .chain(headers.iter().map(|(key, value)| (&**key, &**value)));
    let sent: Vec<_> = sent.map(|(k, v)| (k.as_bytes(), v.as_bytes())).collect();
    assert_eq!(message.headers().collect::<Vec<_>>(), sent);
}

/// Whether there is no reason to refuse it.
fn is_harmless(name: &str, id: &str, headers: &[(String, String)]) -> bool {
    let plain =
        |value: &str| value.bytes().all(|byte| byte >= b' ') && value.len() < MAX_LINE_BYTES - 100;
    let key = |key: &str| {
        (1..=90).contains(&key.len())
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && !key.to_ascii_lowercase().starts_with("action")
    };
    headers.len() + 2 <= MAX_ACTION_HEADERS
        && [name, id].into_iter().all(plain)
        && headers.iter().all(|(k, v)| key(k) && plain(v))
}

/// Any request is refused, or arrives with the headers that it asks for and with
/// each variable as it is.
pub fn ami_originate(input: &[u8]) {
    let request = request(&mut Feed::new(input));
    let _ = format!("{request:?}");
    let Ok(bytes) = originate(&request).encode("id-1") else {
        return;
    };
    let Some(message) = only_frame(&bytes) else {
        return;
    };
    let mut found = message
        .headers()
        .map(|(key, value)| (String::from_utf8_lossy(key), String::from_utf8_lossy(value)));
    for (key, value) in expected(&request) {
        let (found_key, found_value) = found.next().expect("a header is missing");
        assert_eq!(found_key, key);
        if key == "Variable" {
            assert_eq!(separate_args(&found_value), [value]);
        } else {
            assert_eq!(found_value, value);
        }
    }
    assert_eq!(found.next(), None, "there is a header more");
    if let Some(to) = &request.pre_dial_gosub {
        let place = message.get("PreDialGoSub").expect("it was asked for");
        let priority = to.priority.to_string();
        let parts: Vec<_> = place.split(',').collect();
        assert_eq!(parts, [&*to.context, &*to.exten, &*priority]);
    }
}

fn request(feed: &mut Feed<'_>) -> OriginateRequest {
    let mut request = OriginateRequest {
        channel: feed.text(),
        channel_id: feed.text(),
        other_channel_id: feed.optional(),
        context: feed.text(),
        exten: feed.text(),
        priority: feed.byte().into(),
        caller_id: feed.optional(),
        timeout_ms: u32::from(feed.byte()) << 24,
        account: feed.optional(),
        codecs: feed.optional(),
        early_media: feed.byte() % 2 == 1,
        ..OriginateRequest::default()
    };
    if feed.byte() % 2 == 1 {
        request.application = Some(Application {
            name: feed.text(),
            data: feed.text(),
        });
    }
    if feed.byte() % 2 == 1 {
        request.pre_dial_gosub = Some(Destination {
            context: feed.text(),
            exten: feed.text(),
            priority: feed.byte().into(),
        });
    }
    while !feed.is_empty() && request.variables.len() <= MAX_ACTION_HEADERS {
        request.variables.push((feed.text(), feed.text()));
    }
    request
}

/// The headers of a request; a variable without the quoting of its value.
fn expected(request: &OriginateRequest) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("Action", "Originate".to_owned()),
        ("ActionID", "id-1".to_owned()),
        ("Channel", request.channel.clone()),
        ("ChannelId", request.channel_id.clone()),
    ];
    let optional = |key, value: &Option<String>| value.clone().map(|value| (key, value));
    all.extend(optional("OtherChannelId", &request.other_channel_id));
    match &request.application {
        Some(application) => all.extend([
            ("Application", application.name.clone()),
            ("Data", application.data.clone()),
        ]),
        None => all.extend([
            ("Context", request.context.clone()),
            ("Exten", request.exten.clone()),
            ("Priority", request.priority.to_string()),
        ]),
    }
    all.push(("Timeout", request.timeout_ms.to_string()));
    all.push(("Async", "true".to_owned()));
    all.extend(optional("CallerID", &request.caller_id));
    all.extend(optional("Account", &request.account));
    all.extend(
        request
            .early_media
            .then(|| ("EarlyMedia", "true".to_owned())),
    );
    all.extend(optional("Codecs", &request.codecs));
    all.extend(request.pre_dial_gosub.as_ref().map(|to| {
        let place = format!("{},{},{}", to.context, to.exten, to.priority);
        ("PreDialGoSub", place)
    }));
    let variables = request.variables.iter();
    all.extend(variables.map(|(name, value)| ("Variable", format!("{name}={value}"))));
    all
}

/// How Asterisk takes a `Variable` header apart (`__ast_app_separate_args` in
/// `main/app.c`): at commas outside of quotation marks and brackets, without
/// quotation marks, and with what stands behind a backslash as it is.
fn separate_args(text: &str) -> Vec<String> {
    let (mut parens, mut brackets, mut quoted) = (0_u32, 0_u32, false);
    let mut args = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let mut kept = Some(c);
        match c {
            '(' => parens += 1,
            ')' => parens = parens.saturating_sub(1),
            '[' => brackets += 1,
            ']' => brackets = brackets.saturating_sub(1),
            '"' => {
                quoted = !quoted;
                kept = None;
            }
            '\\' => kept = chars.next(),
            ',' if parens == 0 && brackets == 0 && !quoted => {
                args.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(arg) = args.last_mut() {
            arg.extend(kept);
        }
    }
    args
}
