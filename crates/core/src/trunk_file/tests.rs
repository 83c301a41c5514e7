//! What is written, read back as Asterisk reads it.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;

/// A section as Asterisk understands it: name, templates, values in their order.
type Read = (String, String, Vec<(String, String)>);

/// Reads a file as `config_text_file_load` and `process_text_line` of Asterisk's
/// `main/config.c` do, with its comments and escapes.
fn read(text: &str) -> Result<Vec<Read>, String> {
    let mut sections: Vec<Read> = Vec::new();
    let mut depth = 0_usize;
    for line in text.split('\n') {
        if line.len() >= 8_191 {
            return Err("the line is too long".to_owned());
        }
        let line = without_comments(line, &mut depth);
        let line = line.trim_matches(|c: char| c.is_ascii() && c as u32 <= 32);
        match line.chars().next() {
            None => {}
            Some('[') => {
                let (name, rest) = line[1..].split_once(']').ok_or("no closing bracket")?;
                let templates = match rest {
                    "" => "",
                    rest => rest
                        .strip_prefix('(')
                        .and_then(|rest| rest.strip_suffix(')'))
                        .ok_or("no closing parenthesis")?,
                };
                sections.push((name.to_owned(), templates.to_owned(), Vec::new()));
            }
            Some('#') => return Err(format!("a directive: {line}")),
            Some(_) => {
                let (name, value) = line.split_once('=').ok_or("no equals sign")?;
                if name.ends_with('+') || value.starts_with('>') {
                    return Err("another operator".to_owned());
                }
                let section = sections.last_mut().ok_or("a value without a section")?;
                let value = value.trim_matches(|c: char| c.is_ascii() && c as u32 <= 32);
                section.2.push((name.trim().to_owned(), value.to_owned()));
            }
        }
    }
    Ok(sections)
}

/// `;` begins a comment, `;--` one that goes on until `--;`, and `\;` is a semicolon.
fn without_comments(line: &str, depth: &mut usize) -> String {
    let mut buffer: Vec<u8> = line.as_bytes().to_vec();
    let mut kept = if *depth == 0 { Some(0) } else { None };
    let mut from = 0;
    while let Some(at) = buffer[from..].iter().position(|b| *b == b';') {
        let at = from + at;
        if at > from && buffer[at - 1] == b'\\' {
            buffer.remove(at - 1);
            from = at;
        } else if buffer[at..].starts_with(b";--") && buffer.get(at + 3) != Some(&b'-') {
            *depth += 1;
            if kept.is_some() && *depth == 1 {
                buffer.truncate(at);
                return String::from_utf8(buffer).unwrap();
            }
            from = at + 3;
        } else if at >= from + 2 && buffer[at - 2..at] == *b"--" && *depth > 0 {
            *depth -= 1;
            from = at + 1;
            if *depth == 0 {
                kept = Some(from);
            }
        } else if *depth == 0 {
            buffer.truncate(at);
            from = at;
        } else {
            from = at + 1;
        }
    }
    match kept {
        Some(start) => String::from_utf8(buffer[start..].to_vec()).unwrap(),
        None => String::new(),
    }
}

/// The sections that were meant.
fn meant(trunks: &[OwnTrunk]) -> Vec<Read> {
    trunks
        .iter()
        .flat_map(|trunk| {
            Plan::of(trunk)
                .unwrap_or_else(|faults| panic!("{faults:?}"))
                .sections()
        })
        .map(|section| {
            let values = section.values.into_iter();
            (
                section.name,
                section.template.to_owned(),
                values
                    .map(|(name, value)| (name.to_owned(), value))
                    .collect(),
            )
        })
        .collect()
}

fn by_address(endpoint: &str, domain: &str) -> OwnTrunk {
    OwnTrunk {
        endpoint: endpoint.to_owned(),
        domain: domain.to_owned(),
        ..OwnTrunk::default()
    }
}

fn registered(endpoint: &str) -> OwnTrunk {
    OwnTrunk {
        login: "33199001234".to_owned(),
        password: Some(Password::new("s3cret")),
        registers: true,
        ..by_address(endpoint, "sip.example.net:5070")
    }
}

fn text(trunk: OwnTrunk) -> String {
    render(&[trunk]).unwrap().text
}

fn fields(trunk: &OwnTrunk) -> Vec<&'static str> {
    faults(trunk).into_iter().map(|fault| fault.field).collect()
}

#[test]
fn a_trunk_known_by_its_address_is_an_endpoint_with_its_hosts_and_who_may_call() {
    let trunk = OwnTrunk {
        match_addresses: "198.51.100.0/28".to_owned(),
        codecs: "g722, alaw".to_owned(),
        caller_id: "+33199000100".to_owned(),
        ..by_address("carrier", "192.0.2.1, [2001:db8::1]:5062,sip.example.net")
    };
    let file = render(&[trunk]).unwrap();
    assert_eq!(
        file.text,
        format!(
            "{HEAD}
[carrier](strowger-trunk)
aors = carrier
context = strowger-inbound
allow = !all,g722,alaw
from_user = +33199000100

[carrier](strowger-trunk-aor)
contact = sip:192.0.2.1
contact = sip:[2001:db8::1]:5062
contact = sip:sip.example.net

[carrier](strowger-trunk-identify)
endpoint = carrier
match = 198.51.100.0/28,192.0.2.1,2001:db8::1
"
        )
    );
    assert_eq!(endpoints(&file.text), ["carrier"]);
    assert_eq!(file.wanted[0].values[2], ("allow", "g722|alaw".to_owned()));
    assert!(Wanted::agrees("allow", "g722|alaw", "(g722|alaw)"));
    assert!(!Wanted::agrees("allow", "g722|alaw", "(alaw|ulaw)"));
}

#[test]
fn a_trunk_that_registers_has_a_login_a_registration_and_no_address_of_its_own() {
    let file = render(&[registered("carrier")]).unwrap();
    assert_eq!(
        file.text,
        format!(
            "{HEAD}
[carrier](strowger-trunk)
aors = carrier
context = strowger-inbound
allow = !all,alaw,ulaw
outbound_auth = carrier
from_user = 33199001234

[carrier](strowger-trunk-aor)
contact = sip:sip.example.net:5070

[carrier](strowger-trunk-auth)
username = 33199001234
password = s3cret

[carrier](strowger-trunk-registration)
outbound_auth = carrier
endpoint = carrier
server_uri = sip:sip.example.net:5070
client_uri = sip:33199001234@sip.example.net:5070
contact_user = s
"
        )
    );
    let registration = file.wanted[0].registration.clone().unwrap();
    assert_eq!(
        registration.client_uri,
        "sip:33199001234@sip.example.net:5070"
    );
    assert!(!format!("{file:?}").contains("s3cret"));
}

#[test]
fn a_register_string_says_where_and_as_whom() {
    let trunk = OwnTrunk {
        register_string: "sip:trunk7@registrar.example:5080/0199001234".to_owned(),
        ..registered("carrier")
    };
    let written = text(trunk.clone());
    for line in [
        "server_uri = sip:registrar.example:5080\n",
        "client_uri = sip:trunk7@registrar.example:5080\n",
        "contact_user = 0199001234\n",
        "contact = sip:sip.example.net:5070\n",
        "username = 33199001234\n",
    ] {
        assert!(written.contains(line), "{line}{written}");
    }
    let alone = OwnTrunk {
        domain: String::new(),
        ..trunk
    };
    assert!(text(alone).contains("contact = sip:registrar.example:5080\n"));
    for wrong in [
        "sips:a@b",
        "a@b\nc",
        "a@b;c",
        "a@[b",
        "a@b:0",
        "udp://a@b",
        "a b@c",
    ] {
        let trunk = OwnTrunk {
            register_string: wrong.to_owned(),
            ..registered("carrier")
        };
        assert_eq!(fields(&trunk), ["register_string"], "{wrong}");
    }
}

#[test]
fn a_host_that_is_only_a_name_is_where_its_calls_come_from() {
    assert!(text(by_address("carrier", "sip.example.net")).contains("match = sip.example.net\n"));
    let given = OwnTrunk {
        match_addresses: "192.0.2.1".to_owned(),
        ..by_address("carrier", "sip.example.net")
    };
    assert!(text(given).contains("match = 192.0.2.1\n"));
}

#[test]
fn each_wrong_value_is_told_by_its_field() {
    let good = || by_address("carrier", "192.0.2.1");
    for (field, trunk) in [
        ("endpoint", by_address("a b", "192.0.2.1")),
        ("endpoint", by_address("", "192.0.2.1")),
        ("endpoint", by_address("-a", "192.0.2.1")),
        ("endpoint", by_address("Strowger-trunk", "192.0.2.1")),
        ("endpoint", by_address("a](!)\n[b", "192.0.2.1")),
        ("domain", by_address("a", "")),
        ("domain", by_address("a", "192.0.2.999")),
        ("domain", by_address("a", "0.0.0.0")),
        ("domain", by_address("a", "192.0.2.1:99999")),
        (
            "domain",
            by_address("a", "host\ncontact = sip:evil.example"),
        ),
        ("domain", by_address("a", "host;transport=tcp")),
        ("domain", by_address("a", "höst.example")),
        ("domain", by_address("a", "${HOST}")),
        (
            "login",
            OwnTrunk {
                login: "a b".to_owned(),
                ..good()
            },
        ),
        (
            "login",
            OwnTrunk {
                registers: true,
                ..good()
            },
        ),
        (
            "inbound_context",
            OwnTrunk {
                inbound_context: "a]".to_owned(),
                ..good()
            },
        ),
        (
            "inbound_context",
            OwnTrunk {
                inbound_context: "strowger-dialer".to_owned(),
                ..good()
            },
        ),
        (
            "match_addresses",
            OwnTrunk {
                match_addresses: "0.0.0.0/0".to_owned(),
                ..good()
            },
        ),
        (
            "match_addresses",
            OwnTrunk {
                match_addresses: "192.0.2.1/33".to_owned(),
                ..good()
            },
        ),
        (
            "match_addresses",
            OwnTrunk {
                match_addresses: "sip.example".to_owned(),
                ..good()
            },
        ),
        (
            "codecs",
            OwnTrunk {
                codecs: "alaw,!all".to_owned(),
                ..good()
            },
        ),
        (
            "codecs",
            OwnTrunk {
                codecs: "alaw,alaw".to_owned(),
                ..good()
            },
        ),
        (
            "caller_id",
            OwnTrunk {
                caller_id: "Ada <1>".to_owned(),
                ..good()
            },
        ),
        (
            "password",
            OwnTrunk {
                password: Some(Password::new("")),
                ..good()
            },
        ),
        (
            "password",
            OwnTrunk {
                password: Some(Password::new("a\n#exec /bin/sh")),
                ..good()
            },
        ),
        (
            "password",
            OwnTrunk {
                password: Some(Password::new(" a")),
                ..good()
            },
        ),
        (
            "password",
            OwnTrunk {
                password: Some(Password::new("é")),
                ..good()
            },
        ),
        (
            "password",
            OwnTrunk {
                password: Some(Password::new("a\u{2028}b")),
                ..good()
            },
        ),
    ] {
        assert!(
            fields(&trunk).contains(&field),
            "{field}: {trunk:?} {:?}",
            faults(&trunk)
        );
        assert!(render(&[trunk]).is_err());
    }
}

#[test]
fn a_password_may_hold_what_means_something_to_asterisk() {
    for password in [
        ";",
        ";--",
        "--;",
        "a;b;;c",
        "\\;",
        "a\\",
        "\\\\;\\",
        "[x](y)",
        "#include \"x\"",
        "${X}",
        ">a",
        "a = b",
        "\"q\"",
    ] {
        let trunk = OwnTrunk {
            password: Some(Password::new(password)),
            ..registered("carrier")
        };
        let read = read(&text(trunk.clone())).unwrap();
        assert_eq!(read, meant(std::slice::from_ref(&trunk)), "{password}");
        let auth = &read
            .iter()
            .find(|section| section.1 == "strowger-trunk-auth")
            .unwrap()
            .2;
        assert_eq!(auth[1], ("password".to_owned(), password.to_owned()));
    }
}

#[test]
fn trunks_that_the_exchange_could_not_tell_apart_are_refused() {
    let one = by_address("one", "192.0.2.1");
    let refused = render(&[one.clone(), by_address("ONE", "192.0.2.9")]).unwrap_err();
    assert_eq!(refused.faults[0].field, "endpoint");
    let refused = render(&[one.clone(), by_address("two", "192.0.2.1:5080")]).unwrap_err();
    assert_eq!(
        (refused.endpoint.as_str(), refused.faults[0].field),
        ("two", "domain")
    );
    let network = OwnTrunk {
        match_addresses: "192.0.0.0/16".to_owned(),
        ..by_address("two", "sip.example")
    };
    assert_eq!(
        render(&[one, network]).unwrap_err().faults[0].field,
        "match_addresses"
    );
    // Registered trunks are known by their contacts: several at one carrier.
    render(&[registered("one"), registered("two")]).unwrap();
}

#[test]
fn the_parser_of_these_tests_sees_what_an_injection_would_do() {
    let injected = "[a](t)\npassword = x\n[b](u)\ncontact = y ; comment\n";
    assert_eq!(read(injected).unwrap().len(), 2);
    assert_eq!(read("[a]\nx = y;z\n").unwrap()[0].2[0].1, "y");
    assert_eq!(read("[a]\nx = y\\;z\n").unwrap()[0].2[0].1, "y;z");
    assert_eq!(
        read("[a]\nx = y;-- no\nq = 1\n--;\nz = 2\n").unwrap()[0]
            .2
            .len(),
        2
    );
    assert!(read("#include \"x\"").is_err());
    assert!(read("[a](b\n").is_err());
}

/// Text that knows the grammar it is up against.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = vec![
        ";",
        "\\",
        "\n",
        "\r",
        "[",
        "]",
        "(",
        ")",
        "(!)",
        "#include \"a\"",
        "#exec x",
        "=",
        "=>",
        "+=",
        ">",
        "${X}",
        ";--",
        "--;",
        "\"",
        ",",
        " ",
        "\t",
        "\0",
        "é",
        "\u{2028}",
        "a",
        "7",
        "_X.",
        "sip:",
        "@",
        ":",
        "/",
        ".",
        "-",
        "strowger-",
    ];
    prop_oneof![
        vec(select(pieces), 0..8).prop_map(|parts| parts.concat()),
        ".{0,20}",
        "[ -~]{0,40}",
    ]
}

fn one_of(good: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop_oneof![12 => select(good).prop_map(str::to_owned), 1 => hostile()]
}

fn own_trunk() -> impl Strategy<Value = OwnTrunk> {
    (
        one_of(&["carrier", "trunk-1700000000000", "a.b_c"]),
        one_of(&[
            "192.0.2.1",
            "sip.example.net:5070",
            "[2001:db8::1]:5061,192.0.2.7",
        ]),
        one_of(&["", "33199", "a@b.example"]),
        option::of(hostile()),
        any::<bool>(),
        one_of(&["", "a@b.example:5080/0199", "sip:u@192.0.2.3"]),
        one_of(&["", "from-carrier", "strowger-inbound"]),
        one_of(&["", "198.51.100.0/28"]),
        one_of(&["", "alaw,ulaw", "g722"]),
        one_of(&["", "+33199000100"]),
    )
        .prop_map(
            |(
                endpoint,
                domain,
                login,
                password,
                registers,
                register_string,
                inbound_context,
                match_addresses,
                codecs,
                caller_id,
            )| OwnTrunk {
                endpoint,
                domain,
                login,
                password: password.map(Password::new),
                registers,
                register_string,
                inbound_context,
                match_addresses,
                codecs,
                caller_id,
            },
        )
}

proptest! {
    /// Whatever the values are: an error that names a field, or a file that Asterisk reads as
    /// exactly the sections and values that were meant.
    #[test]
    fn no_value_is_read_as_anything_but_itself(trunks in vec(own_trunk(), 0..4)) {
        match render(&trunks) {
            Err(refused) => {
                prop_assert!(!refused.faults.is_empty());
                for fault in refused.faults {
                    prop_assert!(!fault.field.is_empty() && !fault.reason.is_empty());
                }
            }
            Ok(file) => {
                let sections = read(&file.text).map_err(TestCaseError::fail)?;
                prop_assert_eq!(&sections, &meant(&trunks));
                for (trunk, wanted) in trunks.iter().zip(&file.wanted) {
                    prop_assert_eq!(&trunk.endpoint, &wanted.endpoint);
                    let passwords: Vec<_> = sections.iter()
                        .filter(|(name, template, _)| *name == trunk.endpoint && template == "strowger-trunk-auth")
                        .flat_map(|(_, _, values)| values)
                        .filter(|(name, _)| name == "password")
                        .map(|(_, value)| value.as_str())
                        .collect();
                    let expected: Vec<_> = trunk.password.iter().filter(|_| !trunk.login.is_empty())
                        .map(|Password(password)| password.as_str()).collect();
                    prop_assert_eq!(passwords, expected);
                }
                let names: Vec<_> = trunks.iter().map(|trunk| trunk.endpoint.as_str()).collect();
                prop_assert_eq!(endpoints(&file.text), names);
            }
        }
    }

    /// A password of printable characters is written whatever they are.
    #[test]
    fn any_printable_password_arrives_as_it_is(password in "[!-~]([ -~]{0,60}[!-~])?") {
        let trunk = OwnTrunk { password: Some(Password::new(password)), ..registered("carrier") };
        let file = render(std::slice::from_ref(&trunk)).unwrap();
        prop_assert_eq!(read(&file.text).unwrap(), meant(&[trunk]));
    }
}
