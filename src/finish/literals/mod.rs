//! Originals that stand as literals in code: views, functions, defaults, predicates, policies, …
//!
//! Nothing is masked blindly there. What is found has to be named in the rules, object by object:
//! kept, or rewritten with the mask of the column that the literal is an original of. Most code is
//! a tree in a catalog, in which a constant is a stored value: it is replaced there by one as long,
//! so that nothing else of the object changes, and nothing is dropped that others depend on.

mod apply;
mod constants;
mod known;
mod masks;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::FinishJob;
use super::session::Session;
use crate::cluster::catalog::code_with_text;
use crate::cluster::server::PrivateServer;
use crate::error::{Error, Refusal, Result};
use crate::fingerprint::Original;
use crate::rules::{ObjectRule, object_line, objects_header};

use apply::Edit;
use known::{Find, KnownOriginals};
use masks::Masks;

/// An object whose code held originals.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ObjectLiterals {
    /// Database.
    pub database: String,
    /// Kind and identity: `view public.vip`.
    pub object: String,
    /// What the rules say.
    pub rule: ObjectRule,
    /// Distinct originals in it.
    pub values: usize,
    /// Masked columns that they are originals of: `schema.table.column`.
    pub columns: BTreeSet<String>,
}

/// What was found and settled.
#[derive(Debug)]
pub struct Literals {
    /// Objects with originals, in order of database and name.
    pub objects: Vec<ObjectLiterals>,
    /// Originals that may stand in code by the user's word.
    pub accepted: BTreeSet<Original>,
}

/// Text of an object's code, as it stands in a catalog.
struct Piece {
    object: String,
    catalog: String,
    attribute: String,
    key: String,
    row: u32,
    form: String,
    language: String,
    text: String,
}

/// What was found in a piece.
#[derive(Default)]
struct Found {
    all: BTreeSet<Find>,
    /// What replaces the piece, or why nothing does.
    edit: Option<std::result::Result<Edit, String>>,
}

/// What was found in an object.
#[derive(Default)]
struct InObject {
    all: BTreeSet<Find>,
    edits: Vec<Edit>,
    /// Why it can't be rewritten.
    obstacles: BTreeSet<String>,
}

/// Looks into the code of every database, refuses what no rule speaks of, then rewrites.
pub(super) fn settle(server: &PrivateServer, job: &FinishJob<'_>) -> Result<Literals> {
    let known = KnownOriginals::new(job.originals);
    let masks = Masks::compile(job)?;
    let mut refusals = Vec::new();
    let mut settled = Literals { objects: Vec::new(), accepted: BTreeSet::new() };
    let mut edits: Vec<(&str, Vec<Edit>)> = Vec::new();
    for info in job.cluster.databases.iter().filter(|info| info.allows_connections) {
        job.cancel.check()?;
        let plan = job.plan.databases.iter().find(|plan| plan.oid == info.oid);
        let mut session = Session::open(server, &info.name, job.cancel)?;
        let mut of_database = Vec::new();
        for (object, found) in look(&mut session, job, &known, &masks)? {
            let rule = plan.and_then(|plan| plan.objects.get(&object)).copied();
            let columns = names(job, found.all.iter().flat_map(|find| &find.columns));
            let entry = |rule| ObjectLiterals {
                database: info.name.clone(),
                object: object.clone(),
                rule,
                values: found.all.len(),
                columns: columns.clone(),
            };
            match rule {
                None => refusals.push(unnamed(&entry(ObjectRule::Keep))),
                Some(ObjectRule::Keep) => {
                    settled.accepted.extend(found.all.iter().map(|find| find.original));
                    settled.objects.push(entry(ObjectRule::Keep));
                }
                Some(ObjectRule::Rewrite) if found.obstacles.is_empty() => {
                    settled.objects.push(entry(ObjectRule::Rewrite));
                    of_database.extend(found.edits);
                }
                Some(ObjectRule::Rewrite) => {
                    refusals.push(stuck(&entry(ObjectRule::Keep), &found.obstacles));
                }
            }
        }
        edits.push((&info.name, of_database));
    }
    if !refusals.is_empty() {
        return Err(Error::Refused(refusals));
    }
    for (database, edits) in edits {
        if !edits.is_empty() {
            apply::apply(server, database, &edits, job.cancel)?;
        }
    }
    Ok(settled)
}

/// What is found in the code of one database, by object.
fn look(
    session: &mut Session,
    job: &FinishJob<'_>,
    known: &KnownOriginals<'_>,
    masks: &Masks,
) -> Result<BTreeMap<String, InObject>> {
    let mut objects: BTreeMap<String, InObject> = BTreeMap::new();
    let rows = session.query("read code", &code_with_text(job.cluster.major), &[])?;
    for row in rows {
        let piece = Piece {
            object: row.get(0),
            catalog: row.get(1),
            attribute: row.get(2),
            key: row.get(3),
            row: row.get(4),
            form: row.get(5),
            language: row.get(6),
            text: row.get(7),
        };
        let found = piece.look(known, masks)?;
        if found.all.is_empty() {
            continue;
        }
        let object = objects.entry(piece.object).or_default();
        object.all.extend(found.all);
        match found.edit {
            Some(Ok(edit)) => object.edits.push(edit),
            Some(Err(why)) => drop(object.obstacles.insert(why)),
            None => {}
        }
    }
    Ok(objects)
}

impl Piece {
    fn look(&self, known: &KnownOriginals<'_>, masks: &Masks) -> Result<Found> {
        match self.form.as_str() {
            "tree" | "fixed" => self.tree(known, masks),
            "label" => self.label(known, masks),
            _ => self.body(known, masks),
        }
    }

    fn edit(&self, text: String) -> Edit {
        Edit {
            catalog: self.catalog.clone(),
            attribute: self.attribute.clone(),
            key: self.key.clone(),
            row: self.row,
            is_tree: self.form == "tree",
            text,
            object: self.object.clone(),
            label: None,
        }
    }

    fn tree(&self, known: &KnownOriginals<'_>, masks: &Masks) -> Result<Found> {
        let mut found = Found::default();
        let mut obstacle = (self.form == "fixed").then(|| {
            "it is the bound or the key of partitions, by which rows have found their place".into()
        });
        let mut changes = Vec::new();
        for constant in constants::constants(&self.text) {
            if let Some(find) = known.whole(constant.value())? {
                match masks.masked(&find, constant.value()) {
                    Ok(masked) => changes.push((constant, masked)),
                    Err(why) => obstacle = Some(why),
                }
                found.all.insert(find);
                continue;
            }
            let before = found.all.len();
            if let Some(value) = constant.widened() {
                found.all.extend(known.whole(&value)?);
            }
            known.words(constant.value(), &mut found.all)?;
            if found.all.len() > before {
                obstacle = Some(INSIDE.to_owned());
            }
        }
        found.edit = match (obstacle, constants::replaced(&self.text, &changes)) {
            (Some(why), _) => Some(Err(why)),
            (None, Some(text)) => Some(Ok(self.edit(text))),
            (None, None) => Some(Err("its mask gives a value of another length".to_owned())),
        };
        Ok(found)
    }

    fn label(&self, known: &KnownOriginals<'_>, masks: &Masks) -> Result<Found> {
        let mut found = Found::default();
        if let Some(find) = known.whole(self.text.as_bytes())? {
            let label = masks.masked_text(&find, &self.text);
            found.edit = Some(label.map(|label| {
                let rename = (self.language.clone(), self.text.clone());
                Edit { label: Some(rename), ..self.edit(label) }
            }));
            found.all.insert(find);
        } else {
            known.words(self.text.as_bytes(), &mut found.all)?;
            found.edit = Some(Err(INSIDE.to_owned()));
        }
        Ok(found)
    }

    /// Text in whatever language. What is not a plain string constant of SQL or PL/pgSQL can be
    /// found, but not replaced.
    fn body(&self, known: &KnownOriginals<'_>, masks: &Masks) -> Result<Found> {
        let mut found = Found::default();
        let mut rewritten = self.text.clone();
        let mut obstacle = None;
        let strings = match self.language.as_str() {
            "sql" | "plpgsql" => tokens::strings(&self.text),
            _ => Vec::new(),
        };
        // From the end, so that what is before stays where it is.
        let mut left = self.text.clone();
        for range in strings.into_iter().rev() {
            let Some(text) = self.text.get(range.clone()) else { continue };
            let Some(find) = known.whole(text.as_bytes())? else { continue };
            match masks.masked_text(&find, text) {
                Ok(masked) if tokens::is_plain(&masked) => {
                    rewritten.replace_range(range.clone(), &masked);
                }
                Ok(_) => obstacle = Some("its masked value can't stand between quotes".to_owned()),
                Err(why) => obstacle = Some(why),
            }
            left.replace_range(range, "");
            found.all.insert(find);
        }
        let mut elsewhere = BTreeSet::new();
        known.words(left.as_bytes(), &mut elsewhere)?;
        if !elsewhere.is_empty() {
            obstacle = Some(INSIDE.to_owned());
        }
        found.all.extend(elsewhere);
        found.edit = Some(obstacle.map_or_else(|| Ok(self.edit(rewritten)), Err));
        Ok(found)
    }
}

const INSIDE: &str = "one of them stands inside a longer constant, or in code that thinveil does \
                      not read";

fn names<'a>(job: &FinishJob<'_>, columns: impl Iterator<Item = &'a u32>) -> BTreeSet<String> {
    columns
        .filter_map(|column| job.originals.columns().get(*column as usize))
        .map(|of| format!("{}.{}", of.table, of.column))
        .collect()
}

/// What a refusal says of an object, and the line that keeps it.
fn describe(object: &ObjectLiterals) -> (String, String) {
    let columns: Vec<&str> = object.columns.iter().map(String::as_str).collect();
    let ObjectLiterals { database, object, values, .. } = object;
    (
        format!("{values} original values of {} stand as literals in {object}", columns.join(", ")),
        format!("{}\n{}", objects_header(database), object_line(object, ObjectRule::Keep)),
    )
}

fn unnamed(object: &ObjectLiterals) -> Refusal {
    let (message, line) = describe(object);
    let remedy = format!(
        "change it in the source, say \"rewrite\" to have them masked, or accept them by name:\n\
         {line}"
    );
    Refusal::new("literal", message, remedy).database(&object.database)
}

fn stuck(object: &ObjectLiterals, why: &BTreeSet<String>) -> Refusal {
    let (message, line) = describe(object);
    let why: Vec<&str> = why.iter().map(String::as_str).collect();
    let message = format!("{message}, and can't be rewritten: {}", why.join("; "));
    let remedy = format!("change it in the source, or accept them by name:\n{line}");
    Refusal::new("literal_rewrite", message, remedy).database(&object.database)
}
