//! `xml`: text that PostgreSQL has found to be well formed; scanned in place.

use std::ops::Range;

use super::DatumError;

/// Where in a document a text stands, which says what must not be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Between tags.
    Content,
    /// An attribute's value.
    Attribute,
    /// `<![CDATA[…]]>`
    CData,
    /// `<!--…-->`
    Comment,
    /// `<?target …?>`
    Instruction,
}

/// What is called with each text.
type Visit<'v> = dyn FnMut(Place, &mut [u8]) -> Result<(), DatumError> + 'v;

/// Calls `visit` with each text that is data: content without the white space around it, values
/// of attributes, CDATA, comments, and what processing instructions say. Names of elements and
/// attributes, namespaces and `xml:` attributes are not.
pub(crate) fn texts(xml: &mut [u8], visit: &mut Visit<'_>) -> Result<(), DatumError> {
    let mut at = 0;
    while at < xml.len() {
        let rest = xml.get(at..).unwrap_or_default();
        if rest.starts_with(b"<!--") {
            at = delimited(xml, at + 4, b"-->", Place::Comment, visit)?;
        } else if rest.starts_with(b"<![CDATA[") {
            at = delimited(xml, at + 9, b"]]>", Place::CData, visit)?;
        } else if rest.starts_with(b"<?") {
            at = instruction(xml, at + 2, visit)?;
        } else if rest.starts_with(b"<!") {
            at = declaration(xml, at)?;
        } else if rest.starts_with(b"</") {
            at += find(rest, b">").ok_or(DatumError("an xml tag does not end"))? + 1;
        } else if rest.starts_with(b"<") {
            at = element(xml, at + 1, visit)?;
        } else {
            let len = find(rest, b"<").unwrap_or(rest.len());
            visit_trimmed(xml, at..at + len, Place::Content, visit)?;
            at += len;
        }
    }
    Ok(())
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn is_space(byte: &u8) -> bool {
    matches!(*byte, b' ' | b'\t' | b'\n' | b'\r')
}

fn visit_trimmed(
    xml: &mut [u8],
    range: Range<usize>,
    place: Place,
    visit: &mut Visit<'_>,
) -> Result<(), DatumError> {
    let text = xml.get_mut(range).unwrap_or_default();
    let Some(start) = text.iter().position(|byte| !is_space(byte)) else { return Ok(()) };
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    visit(place, text.get_mut(start..end).unwrap_or_default())
}

/// A text from `start` to `end`; says what is behind that.
fn delimited(
    xml: &mut [u8],
    start: usize,
    end: &[u8],
    place: Place,
    visit: &mut Visit<'_>,
) -> Result<usize, DatumError> {
    let len = find(xml.get(start..).unwrap_or_default(), end)
        .ok_or(DatumError("an xml section does not end"))?;
    visit_trimmed(xml, start..start + len, place, visit)?;
    Ok(start + len + end.len())
}

fn instruction(xml: &mut [u8], start: usize, visit: &mut Visit<'_>) -> Result<usize, DatumError> {
    let rest = xml.get(start..).unwrap_or_default();
    let len = find(rest, b"?>").ok_or(DatumError("an xml instruction does not end"))?;
    let target = rest.iter().take(len).position(is_space).unwrap_or(len);
    if rest.get(..target) != Some(b"xml") {
        visit_trimmed(xml, start + target..start + len, Place::Instruction, visit)?;
    }
    Ok(start + len + 2)
}

/// `<!DOCTYPE …>`: names and addresses. With declarations of its own it might hold anything.
fn declaration(xml: &[u8], start: usize) -> Result<usize, DatumError> {
    let mut quote = None;
    for (at, &byte) in xml.iter().enumerate().skip(start) {
        match (quote, byte) {
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'[') => return Err(DatumError("an xml has a document type of its own")),
            (None, b'>') => return Ok(at + 1),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    Err(DatumError("an xml declaration does not end"))
}

/// An opening tag, from behind its `<`.
fn element(xml: &mut [u8], start: usize, visit: &mut Visit<'_>) -> Result<usize, DatumError> {
    let broken = DatumError("an xml tag is broken");
    let is_name = |byte: &u8| !is_space(byte) && !matches!(*byte, b'=' | b'>' | b'/' | b'<');
    let run = |xml: &[u8], at: usize, of: &dyn Fn(&u8) -> bool| {
        at + xml.iter().skip(at).take_while(|byte| of(byte)).count()
    };
    let mut at = run(xml, start, &is_name);
    if at == start {
        return Err(broken);
    }
    loop {
        at = run(xml, at, &is_space);
        match xml.get(at) {
            Some(b'>') => return Ok(at + 1),
            Some(b'/') => {
                at += 1;
                continue;
            }
            _ => {}
        }
        let name = at..run(xml, at, &is_name);
        at = run(xml, name.end, &is_space);
        if name.is_empty() || xml.get(at) != Some(&b'=') {
            return Err(broken);
        }
        at = run(xml, at + 1, &is_space);
        let quote = *xml.get(at).filter(|byte| matches!(byte, b'"' | b'\'')).ok_or(broken)?;
        let value = at + 1..run(xml, at + 1, &|byte| *byte != quote);
        at = value.end + 1;
        if at > xml.len() {
            return Err(broken);
        }
        let name = xml.get(name).unwrap_or_default();
        let is_markup =
            name == b"xmlns" || name.starts_with(b"xmlns:") || name.starts_with(b"xml:");
        if !is_markup {
            visit_trimmed(xml, value, Place::Attribute, visit)?;
        }
    }
}

/// `#x0010FFFF;` and a few leading zeros.
const LONGEST_REFERENCE: usize = 16;

/// Writes what a text with references means into `plain`, which is emptied first.
pub(crate) fn unescape(text: &[u8], plain: &mut Vec<u8>) {
    plain.clear();
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let rest = text.get(at + 1..).unwrap_or_default();
        let head = rest.get(..LONGEST_REFERENCE).unwrap_or(rest);
        let end = if byte == b'&' { find(head, b";") } else { None };
        let name = end.and_then(|end| rest.get(..end));
        match name.and_then(|name| Some((name, reference(str::from_utf8(name).ok()?)?))) {
            Some((name, c)) => {
                plain.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                at += name.len() + 2;
            }
            None => {
                plain.push(byte);
                at += 1;
            }
        }
    }
}

fn reference(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    })
}

/// Writes plain characters over what makes a reference: as many bytes.
pub(crate) fn flatten_references(text: &mut [u8]) {
    let mut within = false;
    for byte in text {
        match *byte {
            b'&' => (within, *byte) = (true, b'x'),
            b';' if within => (within, *byte) = (false, b'x'),
            _ => {}
        }
    }
}

/// Writes plain characters over those that would end the text or mean something in its place.
pub(crate) fn without_markup(place: Place, text: &mut [u8]) {
    let ends_early = |text: &[u8], end: &[u8]| {
        find(text, end).is_some() || (end.len() > 1 && text.last() == end.first())
    };
    let bad: &[u8] = match place {
        Place::Content => b"<&>",
        Place::Attribute => b"<&\"'",
        Place::CData if ends_early(text, b"]]") => b"]",
        Place::Comment if ends_early(text, b"--") => b"-",
        Place::Instruction if ends_early(text, b"?>") => b"?",
        _ => b"",
    };
    for byte in text.iter_mut().filter(|byte| bad.contains(byte)) {
        *byte = b'x';
    }
}
