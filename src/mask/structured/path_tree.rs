//! Which rule is for which path: all rules' paths as one automaton over keys and elements.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::datum::document::Trail;
use crate::rules::{JsonPath, Step};

/// The automaton. A value's state says which action is for it; that of the root is 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathTree(Vec<State>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct State {
    /// States under the keys that rules name here.
    keys: BTreeMap<String, usize>,
    /// State under any other key.
    other: usize,
    /// States of the elements of an array that rules name by number.
    indexed: BTreeMap<u32, usize>,
    /// State of its other elements.
    element: usize,
    /// The rule for a scalar here; `None` if no rule names it.
    action: Option<usize>,
    /// True if a rule stands for any key here.
    any_key: bool,
}

impl State {
    /// The element of this number, if a rule names it.
    #[inline]
    fn named(&self, index: usize) -> Option<(u32, usize)> {
        let index = u32::try_from(index).ok().filter(|_| !self.indexed.is_empty())?;
        self.indexed.get(&index).map(|state| (index, *state))
    }
}

/// Rules with a beginning in common.
#[derive(Default)]
struct Node {
    keys: BTreeMap<String, usize>,
    any_key: Option<usize>,
    indexed: BTreeMap<u32, usize>,
    element: Option<usize>,
    action: Option<usize>,
    below: Option<usize>,
}

/// Nodes that a value may be at, the more telling first, and the rule that covers all below.
type Position = (Vec<usize>, Option<usize>);

impl PathTree {
    /// The automaton of these paths; the action of each is its number. A path that names a key or
    /// an element goes before one with a wildcard there, and either before `.**`, of which the longest wins.
    pub fn new<'p>(paths: impl IntoIterator<Item = &'p JsonPath>) -> PathTree {
        let mut nodes = vec![Node::default()];
        for (action, JsonPath(steps)) in paths.into_iter().enumerate() {
            let mut at = 0;
            for step in steps {
                let next = nodes.len();
                let Some(node) = nodes.get_mut(at) else { break };
                at = match step {
                    Step::Key(key) => *node.keys.entry(key.clone()).or_insert(next),
                    Step::AnyKey => *node.any_key.get_or_insert(next),
                    Step::Element => *node.element.get_or_insert(next),
                    Step::Index(index) => *node.indexed.entry(*index).or_insert(next),
                    Step::Below => {
                        node.below = Some(action);
                        break;
                    }
                };
                if at == next {
                    nodes.push(Node::default());
                }
            }
            if !matches!(steps.last(), Some(Step::Below))
                && let Some(node) = nodes.get_mut(at)
            {
                node.action = Some(action);
            }
        }
        Builder { nodes: &nodes, known: HashMap::new(), states: Vec::new() }.build()
    }

    /// The state of what an object in `state` holds under `key`.
    #[inline]
    pub(crate) fn member(&self, state: usize, key: &[u8]) -> usize {
        let Some(state) = self.0.get(state) else { return state };
        let named = str::from_utf8(key).ok().and_then(|key| state.keys.get(key));
        named.copied().unwrap_or(state.other)
    }

    /// The state of an element of an array in `state`.
    #[inline]
    pub(crate) fn element(&self, state: usize, index: usize) -> usize {
        let Some(state) = self.0.get(state) else { return state };
        state.named(index).map_or(state.element, |(_, named)| named)
    }

    /// The rule for a scalar in `state`.
    #[inline]
    pub(crate) fn action(&self, state: usize) -> Option<usize> {
        self.0.get(state)?.action
    }

    /// The path that a trail is, with a wildcard for keys that one stands for.
    pub(crate) fn path(&self, trail: &Trail<'_>) -> JsonPath {
        let mut path = JsonPath::default();
        self.follow(trail, &mut path);
        path
    }

    fn follow(&self, trail: &Trail<'_>, path: &mut JsonPath) -> usize {
        match trail {
            Trail::Root => 0,
            Trail::Element(array, index) => {
                let state = self.follow(array, path);
                let named = self.0.get(state).and_then(|state| state.named(*index));
                path.0.push(named.map_or(Step::Element, |(index, _)| Step::Index(index)));
                self.element(state, *index)
            }
            Trail::Member(object, key) => {
                let state = self.follow(object, path);
                let name = String::from_utf8_lossy(key);
                let covered = self
                    .0
                    .get(state)
                    .is_some_and(|state| state.any_key && !state.keys.contains_key(name.as_ref()));
                path.0.push(if covered { Step::AnyKey } else { Step::Key(name.into_owned()) });
                self.member(state, key)
            }
        }
    }
}

/// Makes one state of each set of nodes.
struct Builder<'n> {
    nodes: &'n [Node],
    known: HashMap<Position, usize>,
    states: Vec<State>,
}

impl Builder<'_> {
    fn build(mut self) -> PathTree {
        let mut open = Vec::new();
        self.state((vec![0], None), &mut open);
        while let Some((number, position)) = open.pop() {
            let (at, inherited) = &position;
            let all = self.nodes;
            let nodes = || at.iter().filter_map(|node| all.get(*node));
            let below = nodes().find_map(|node| node.below).or(*inherited);
            let any_key: Vec<usize> = nodes().filter_map(|node| node.any_key).collect();
            let element: Vec<usize> = nodes().filter_map(|node| node.element).collect();
            let mut keys: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
            for key in nodes().flat_map(|node| node.keys.keys()) {
                keys.entry(key).or_insert_with(|| {
                    nodes()
                        .flat_map(|node| {
                            node.keys.get(key).copied().into_iter().chain(node.any_key)
                        })
                        .collect()
                });
            }
            let mut indexed: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
            for index in nodes().flat_map(|node| node.indexed.keys()) {
                indexed.entry(*index).or_insert_with(|| {
                    nodes()
                        .flat_map(|node| {
                            node.indexed.get(index).copied().into_iter().chain(node.element)
                        })
                        .collect()
                });
            }
            let state = State {
                any_key: !any_key.is_empty(),
                action: nodes().find_map(|node| node.action).or(*inherited),
                keys: keys
                    .into_iter()
                    .map(|(key, at)| (key.clone(), self.state((at, below), &mut open)))
                    .collect(),
                other: self.state((any_key, below), &mut open),
                indexed: indexed
                    .into_iter()
                    .map(|(index, at)| (index, self.state((at, below), &mut open)))
                    .collect(),
                element: self.state((element, below), &mut open),
            };
            if let Some(place) = self.states.get_mut(number) {
                *place = state;
            }
        }
        PathTree(self.states)
    }

    fn state(&mut self, position: Position, open: &mut Vec<(usize, Position)>) -> usize {
        *self.known.entry(position.clone()).or_insert_with(|| {
            let number = self.states.len();
            self.states.push(State::default());
            open.push((number, position));
            number
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 10] = [
        "$.name",
        "$.*",
        "$.orders[*].total",
        "$.orders[*].*",
        "$.address.**",
        "$.address.geo.**",
        "$.address.city",
        "$[*]",
        "$.orders[2].total",
        "$.pair[1]",
    ];

    fn tree() -> PathTree {
        PathTree::new(&PATHS.map(|path| path.parse().unwrap()))
    }

    fn found(tree: &PathTree, steps: &[&str]) -> Option<&'static str> {
        let state = steps.iter().fold(0, |state, step| match *step {
            "[]" => tree.element(state, 7),
            "[1]" => tree.element(state, 1),
            "[2]" => tree.element(state, 2),
            key => tree.member(state, key.as_bytes()),
        });
        tree.action(state).map(|action| PATHS[action])
    }

    #[test]
    fn the_most_telling_rule_wins() {
        let tree = tree();
        assert_eq!(found(&tree, &["name"]), Some("$.name"));
        assert_eq!(found(&tree, &["email"]), Some("$.*"));
        assert_eq!(found(&tree, &["orders"]), Some("$.*"));
        assert_eq!(found(&tree, &["orders", "[]", "total"]), Some("$.orders[*].total"));
        assert_eq!(found(&tree, &["orders", "[]", "sum"]), Some("$.orders[*].*"));
        assert_eq!(found(&tree, &["orders", "[2]", "total"]), Some("$.orders[2].total"));
        assert_eq!(found(&tree, &["orders", "[2]", "sum"]), Some("$.orders[*].*"));
        assert_eq!(found(&tree, &["orders", "[1]", "total"]), Some("$.orders[*].total"));
        assert_eq!(found(&tree, &["pair", "[1]"]), Some("$.pair[1]"));
        assert_eq!(found(&tree, &["pair", "[2]"]), None);
        assert_eq!(found(&tree, &["address", "city"]), Some("$.address.city"));
        assert_eq!(found(&tree, &["address", "lines", "[]"]), Some("$.address.**"));
        assert_eq!(found(&tree, &["address", "geo", "lat"]), Some("$.address.geo.**"));
        assert_eq!(found(&tree, &["[]"]), Some("$[*]"));
        assert_eq!(found(&tree, &[]), None);
        assert_eq!(found(&tree, &["orders", "total"]), None);
        assert_eq!(found(&tree, &["name", "first"]), None);
        assert_eq!(found(&tree, &["[]", "[]"]), None);
    }

    #[test]
    fn keys_under_a_wildcard_are_not_shown() {
        let tree = tree();
        let root = Trail::Root;
        let object = Trail::Member(&root, b"jane@example.com");
        let named = Trail::Member(&root, b"name");
        assert_eq!(tree.path(&Trail::Member(&object, b"age")).to_string(), "$.*.age");
        assert_eq!(tree.path(&Trail::Element(&named, 0)).to_string(), "$.name[*]");
        let pair = Trail::Member(&root, b"pair");
        assert_eq!(tree.path(&Trail::Element(&pair, 0)).to_string(), "$.pair[*]");
        let second = Trail::Element(&pair, 1);
        assert_eq!(tree.path(&Trail::Member(&second, b"x")).to_string(), "$.pair[1].x");
    }
}
