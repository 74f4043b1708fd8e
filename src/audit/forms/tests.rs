use super::*;
use crate::fingerprint::Beginnings;

const TEXT: &str = "Jos\u{e9} Quimby-Abernathy";

/// Where in `bytes` the text is found in each form.
fn found(bytes: &[u8]) -> Vec<(usize, Form)> {
    let all = found_where(bytes, &Beginnings::everything());
    // Runs in which it does not begin are left out, and nothing is missed by that.
    assert_eq!(found_where(bytes, &Beginnings::of(&[TEXT.as_bytes()])), all);
    all
}

fn read(bytes: &[u8], beginnings: &Beginnings) -> Decoded {
    let mut decoded = Decoded::default();
    decoded.read(bytes, &InDigits::new(beginnings));
    decoded
}

fn found_where(bytes: &[u8], beginnings: &Beginnings) -> Vec<(usize, Form)> {
    let decoded = read(bytes, beginnings);
    let len = TEXT.len();
    let windows = decoded.bytes.windows(len).enumerate();
    let matches = windows.filter(|(_, window)| *window == TEXT.as_bytes());
    let origins = matches.filter_map(|(at, _)| decoded.origin(at, len));
    let mut found: Vec<_> = origins.map(|(range, form)| (*range.start(), form)).collect();
    found.dedup();
    found
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |n| b >> n & 1)).collect();
    let digit = |six: &[u8]| {
        let value = (0..6).fold(0, |all, n| all << 1 | six.get(n).copied().unwrap_or(0));
        char::from(DIGITS[usize::from(value)])
    };
    bits.chunks(6).map(digit).collect()
}

#[test]
fn finds_every_form_at_every_alignment() {
    for shift in 0..16 {
        let place = |text: &[u8]| [&vec![b'~'; shift], text, &b"~~~"[..]].concat();
        for digits in [hex(TEXT.as_bytes()), hex(TEXT.as_bytes()).to_uppercase()] {
            assert!(found(&place(digits.as_bytes())).contains(&(shift, Form::Hex)));
        }
        for before in 0..4 {
            let blob = [&b"abcd"[..before], TEXT.as_bytes(), b"and more"].concat();
            for lines in [false, true] {
                let mut text = base64(&[blob.clone(), vec![b'.'; 60]].concat());
                if lines {
                    text.insert_str(0, &"Q".repeat(60));
                    text.insert(64, '\n');
                    text.insert(64, '\r');
                }
                let forms = found(&place(text.as_bytes()));
                assert!(forms.iter().any(|(_, form)| *form == Form::Base64), "{text}");
            }
        }
        for big_endian in [false, true] {
            let units = TEXT.encode_utf16();
            let bytes: Vec<u8> = units
                .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            let forms = found(&place(&bytes));
            assert!(forms.contains(&(shift, Form::Utf16)), "{forms:?}");
            // Behind what is a unit, but no text.
            let control = [&if big_endian { [0, 1] } else { [1, 0] }[..], &bytes].concat();
            let forms = found(&place(&control));
            assert!(forms.contains(&(shift + 2, Form::Utf16)), "{forms:?}");
        }
        let json = TEXT.replace('\u{e9}', "\\u00E9").replace('-', "\\u002d");
        assert_eq!(found(&place(json.as_bytes())), [(shift, Form::Json)]);
        let numbers: Vec<String> = TEXT.bytes().map(|byte| (byte as i8).to_string()).collect();
        let constant = format!("[ {} ]}}", numbers.join(" "));
        assert_eq!(found(&place(constant.as_bytes())), [(shift + 2, Form::NodeTree)]);
    }
}

#[test]
fn a_text_beside_an_escape_is_no_find_of_its_own() {
    assert_eq!(found(format!("\\n{TEXT}\\n").as_bytes()), []);
}

#[test]
fn damaged_forms_are_no_trouble() {
    for bytes in [
        &b"\\u"[..],
        b"\\ud800\\u0041",
        b"\\ud83d\\ude00\\",
        b"[ 1 2 3 4",
        b"[ 1 2 999 4 5 ]",
        b"[ ",
        b"ABCDEFGHIJKLMNOP\n",
        b"0123456789abcdef0",
        &[0; 100],
        &[0x20; 99],
    ] {
        let decoded = read(bytes, &Beginnings::everything());
        assert_eq!(decoded.bytes.len(), decoded.offsets.len());
        assert!(decoded.offsets.iter().all(|at| (*at as usize) < bytes.len().max(1)));
    }
}

#[test]
fn long_base64_takes_no_more_than_its_length_allows() {
    let line = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM=\n";
    let bytes = line.repeat(2000);
    for beginnings in [Beginnings::everything(), Beginnings::of(&[])] {
        let decoded = read(bytes.as_bytes(), &beginnings);
        assert!(decoded.bytes.len() < 40 * bytes.len(), "{}", decoded.bytes.len());
    }
}
