//! URLs that lead nowhere: hosts in the reserved domains of RFC 2606 and RFC 6761.

use super::grammar::pseudo_word;
use super::overlay;
use super::prf::Stream;
use crate::datum::text::{Unit, units};

/// Ends of hosts; a label goes before those that begin with a dot.
const ENDS: [&[u8]; 6] =
    [b".example", b".test", b".invalid", b"example.com", b"example.net", b"example.org"];
/// The shortest host with a label.
const SHORTEST: usize = 6;
/// Draws so often before a replacement may equal the original.
const DRAWS: usize = 4;

/// Replaces a value that is not empty.
pub(crate) fn mask(value: &mut [u8], stream: &mut Stream, buffer: &mut Vec<u8>) {
    let letters: Vec<Unit> = units(value).filter(|unit| matches!(unit, Unit::Char(_))).collect();
    let plain = units(value).count() - letters.len();
    let scheme = scheme(value).filter(|scheme| scheme.len() + SHORTEST <= plain);
    let scheme = scheme.unwrap_or_default();
    let mut drawn = vec![0; plain - scheme.len()];
    for _ in 0..DRAWS {
        write(stream, &mut drawn);
        buffer.clear();
        buffer.extend_from_slice(scheme);
        buffer.extend_from_slice(&drawn);
        // Behind the path, longer characters are part of no host.
        letters.iter().for_each(|&unit| overlay::put(buffer, unit, b'x', stream));
        if buffer != value {
            break;
        }
    }
    overlay::write_back(value, buffer);
}

/// `https://` of a URL.
fn scheme(value: &[u8]) -> Option<&[u8]> {
    let colon = value.iter().position(|&byte| byte == b':')?;
    let (name, rest) = value.split_at_checked(colon)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"+.-".contains(byte);
    let is_name = name.first().is_some_and(u8::is_ascii_alphabetic) && name.iter().all(plain);
    (is_name && rest.starts_with(b"://")).then(|| value.get(..colon + 3)).flatten()
}

/// Writes a host and a path of exactly the length of `out`.
fn write(stream: &mut Stream, out: &mut [u8]) {
    if out.len() < SHORTEST {
        let (host, path) = out.split_at_mut_checked(4).unwrap_or_default();
        host.copy_from_slice(b"test".get(..host.len()).unwrap_or_default());
        return match host.len() {
            4 => write_path(stream, path),
            _ => {
                pseudo_word(stream, out);
                out.make_ascii_lowercase();
            }
        };
    }
    let fits = |end: &&[u8]| end.len() < out.len();
    let ends: Vec<&[u8]> = ENDS.into_iter().filter(fits).collect();
    let end = stream.pick(&ends).copied().unwrap_or(b".test");
    let label = match end.first() {
        Some(b'.') => (3 + stream.below(8) as usize).min(out.len() - end.len()),
        _ => 0,
    };
    let (host, path) = out.split_at_mut(label + end.len());
    let (label, behind) = host.split_at_mut(label);
    pseudo_word(stream, label);
    label.make_ascii_lowercase();
    behind.copy_from_slice(end);
    write_path(stream, path);
}

/// Words between slashes and hyphens.
fn write_path(stream: &mut Stream, path: &mut [u8]) {
    let Some((slash, mut rest)) = path.split_first_mut() else { return };
    *slash = b'/';
    while !rest.is_empty() {
        let len = 3 + stream.below(6) as usize;
        let len = if rest.len() < len + 3 { rest.len() } else { len };
        let (word, behind) = rest.split_at_mut(len);
        pseudo_word(stream, word);
        word.make_ascii_lowercase();
        let Some((between, behind)) = behind.split_first_mut() else { return };
        *between = if stream.below(2) == 0 { b'/' } else { b'-' };
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut value = text.as_bytes().to_vec();
        let mut stream = Stream::from_seed(*blake3::hash(text.as_bytes()).as_bytes());
        mask(&mut value, &mut stream, &mut Vec::new());
        String::from_utf8(value).unwrap()
    }

    #[test]
    fn hosts_are_reserved_at_every_length() {
        for len in 0..200 {
            let text = format!("https://{}", "a".repeat(len));
            let masked = masked(&text);
            assert_eq!(masked.len(), text.len());
            let rest = masked.strip_prefix("https://").unwrap_or(&masked);
            assert_eq!(rest.len() < masked.len(), len >= SHORTEST);
            let host = rest.split('/').next().unwrap();
            let last = host.rsplit('.').next().unwrap();
            let reserved = ["test", "example", "invalid"].contains(&last);
            assert!(reserved || host.starts_with("example."), "{masked}");
        }
    }

    #[test]
    fn letters_of_several_bytes_stand_in_the_path() {
        let masked = masked("http://größe.de/straße?q=ü");
        assert!(masked.starts_with("http://"));
        let host = masked[7..].split('/').next().unwrap();
        assert!(host.is_ascii() && host.contains('.'), "{masked}");
    }

    #[test]
    fn only_a_scheme_is_one() {
        assert_eq!(scheme(b"ftp://x"), Some(&b"ftp://"[..]));
        assert_eq!(scheme(b"12://x"), None);
        assert_eq!(scheme(b"see http://x"), None);
        assert_eq!(scheme(b"www.x.de:80"), None);
    }
}
