//! Paths into `json` and `jsonb` values, as rules write them: `$.orders[*].total`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Step {
    /// `.name`: what an object holds under this key.
    Key(String),
    /// `.*`: what an object holds, whatever the key.
    AnyKey,
    /// `[*]`: the elements of an array.
    Element,
    /// `[3]`: one element of an array, counted from 0.
    Index(u32),
    /// `.**`: everything below, however deep. The last step.
    Below,
}

/// A path from the root, `$`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JsonPath(pub Vec<Step>);

/// What a path may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a path is $, then .key, .\"any key\", .*, [*], [0], and at the end .**")]
pub struct NoPath;

impl FromStr for JsonPath {
    type Err = NoPath;

    fn from_str(text: &str) -> Result<JsonPath, NoPath> {
        let mut rest = text.strip_prefix('$').ok_or(NoPath)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if steps.last() == Some(&Step::Below) {
                return Err(NoPath);
            }
            if let Some(behind) = rest.strip_prefix("[*]") {
                steps.push(Step::Element);
                rest = behind;
                continue;
            }
            if let Some(behind) = rest.strip_prefix('[') {
                let (number, behind) = behind.split_once(']').ok_or(NoPath)?;
                steps.push(Step::Index(index(number).ok_or(NoPath)?));
                rest = behind;
                continue;
            }
            let key = rest.strip_prefix('.').ok_or(NoPath)?;
            if let Some(quoted) = key.strip_prefix('"') {
                let (name, behind) = unquoted(quoted)?;
                steps.push(Step::Key(name));
                rest = behind;
                continue;
            }
            let end = key.find(['.', '[']).unwrap_or(key.len());
            let (name, behind) = key.split_at(end);
            steps.push(match name {
                "" => return Err(NoPath),
                "*" => Step::AnyKey,
                "**" => Step::Below,
                name if is_plain(name) => Step::Key(name.to_owned()),
                _ => return Err(NoPath),
            });
            rest = behind;
        }
        Ok(JsonPath(steps))
    }
}

/// The number of an element, as it is written back.
fn index(number: &str) -> Option<u32> {
    let index: u32 = number.parse().ok()?;
    (index.to_string() == number).then_some(index)
}

/// A key up to its closing quote, and what is behind that.
fn unquoted(text: &str) -> Result<(String, &str), NoPath> {
    let mut name = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((name, text.get(at + 1..).unwrap_or_default())),
            '\\' => name.push(chars.next().ok_or(NoPath)?.1),
            c => name.push(c),
        }
    }
    Err(NoPath)
}

/// True for a key that needs no quotes.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$'))
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Key(key) if is_plain(key) => write!(f, ".{key}"),
            Step::Key(key) => {
                write!(f, ".\"{}\"", key.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Step::AnyKey => f.write_str(".*"),
            Step::Element => f.write_str("[*]"),
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Below => f.write_str(".**"),
        }
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("$")?;
        self.0.iter().try_for_each(|step| step.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "$",
            "$.name",
            "$[*]",
            "$.a[0][12].b",
            "$[4294967295]",
            "$.a-b[*].*.c_1",
            "$.\"a.b \\\"c\\\"\"[*][*]",
            "$.x.**",
            "$.**",
        ] {
            let path: JsonPath = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
        }
        assert_eq!(
            "$.\"two words\".größe".parse::<JsonPath>().unwrap().0,
            [Step::Key("two words".into()), Step::Key("größe".into())]
        );
    }

    #[test]
    fn rejects_what_is_no_path() {
        for text in [
            "",
            "name",
            "$name",
            "$.",
            "$..a",
            "$[01]",
            "$[-1]",
            "$[+1]",
            "$[]",
            "$[4294967296]",
            "$[1 to 2]",
            "$.a[",
            "$.a[1",
            "$.**.a",
            "$.\"open",
            "$.a b",
            "$.a*",
        ] {
            assert_eq!(text.parse::<JsonPath>(), Err(NoPath), "{text}");
        }
    }
}
