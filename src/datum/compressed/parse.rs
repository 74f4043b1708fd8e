//! Divides a text into literals and matches at the least cost.
//!
//! A shortest path: every position is a node, a literal or a match an edge. The path is found in
//! blocks: of a block, what all paths to positions behind it have in common is settled.

use super::finder::{Finder, MAX_COMPARED, Match, common_prefix};

/// Positions of a block.
const BLOCK: usize = 1 << 15;
const UNREACHED: u32 = u32::MAX;

/// What a format allows, and what it takes.
pub(super) trait Format {
    const MIN_MATCH: usize;
    /// A power of two; distances are smaller.
    const WINDOW: usize;
    /// True if a match has no greatest length.
    const ENDLESS: bool;
    /// So many bytes at the end can't be part of a match.
    const LAST_LITERALS: usize;
    /// So many bytes at the end can't be the start of a match.
    const LAST_STARTS: usize;

    /// What a literal takes that follows on `run` others.
    fn literal_cost(run: u32) -> u32;
    /// What a match takes.
    fn match_cost(len: usize) -> u32;
    /// Lengths of which one is best, up to the longest one.
    fn lengths(longest: usize) -> impl Iterator<Item = usize>;
}

/// A literal (length 1, distance 0) or a match.
pub(super) type Step = Match;

const LITERAL: Step = Step { len: 1, distance: 0 };

#[derive(Clone, Copy)]
struct Node {
    cost: u32,
    /// Literals right before.
    run: u32,
    /// The last step on the cheapest way here.
    step: Step,
}

const FAR: Node = Node { cost: UNREACHED, run: 0, step: LITERAL };
const START: Node = Node { cost: 0, run: 0, step: LITERAL };

/// Hands the steps of the cheapest way through `raw` to `sink`, until that returns false. True if
/// it never does.
pub(super) fn parse<F: Format>(raw: &[u8], sink: &mut impl FnMut(Step) -> bool) -> bool {
    let matchable = raw.len().saturating_sub(F::LAST_LITERALS);
    let starts = raw.len().saturating_sub(F::LAST_STARTS);
    let matchable_bytes = raw.get(..matchable).unwrap_or_default();
    let mut finder = Finder::new(matchable_bytes, F::MIN_MATCH, F::WINDOW);
    let mut way = Way { nodes: vec![START] };
    // The position of the first node.
    let mut base = 0;
    let mut index = 0;
    while base + index < raw.len() {
        let position = base + index;
        if index == BLOCK {
            let settled = way.settle(index, sink);
            let Some(settled) = settled else { return false };
            base += settled;
            index -= settled;
        }
        let found = if position <= starts { finder.visit(position) } else { Match::default() };
        if F::ENDLESS && found.len == MAX_COMPARED && way.reaches(index) {
            // Long enough to be on the best way, or on one that costs a byte more.
            let Some(found) = extended(matchable_bytes, position, found) else { return false };
            if !way.emit(index, sink) || !sink(found) {
                return false;
            }
            let end = position + found.len;
            let skipped = (position + 1).max(end.saturating_sub(F::WINDOW));
            (skipped..end).for_each(|inner| _ = finder.visit(inner));
            way.nodes.clear();
            way.nodes.push(START);
            (base, index) = (end, 0);
            continue;
        }
        way.relax::<F>(index, found);
        index += 1;
    }
    way.emit(index, sink)
}

/// `found`, as long as it gets.
fn extended(raw: &[u8], position: usize, found: Match) -> Option<Match> {
    let here = raw.get(position..)?;
    let there = raw.get(position.checked_sub(found.distance)?..)?;
    Some(Match { len: common_prefix(here, there), ..found })
}

/// The cheapest ways from the first node to each of the others.
struct Way {
    nodes: Vec<Node>,
}

impl Way {
    /// Looks whether the ways on from the node at `index` are cheaper than those known.
    #[inline]
    fn relax<F: Format>(&mut self, index: usize, found: Match) {
        let Some(&from) = self.nodes.get(index).filter(|node| node.cost != UNREACHED) else {
            return;
        };
        let cost = from.cost + F::literal_cost(from.run);
        self.offer(index + 1, Node { cost, run: from.run + 1, step: LITERAL });
        if found.len >= F::MIN_MATCH {
            for len in F::lengths(found.len) {
                let step = Step { len, ..found };
                let cost = from.cost + F::match_cost(len);
                self.offer(index + len, Node { cost, run: 0, step });
            }
        }
    }

    /// Of equal ways the one with the shorter last step wins: so they soon run together.
    #[inline]
    fn offer(&mut self, index: usize, node: Node) {
        if index >= self.nodes.len() {
            self.nodes.resize(index + 1, FAR);
        }
        if let Some(known) = self.nodes.get_mut(index)
            && node.cost <= known.cost
        {
            *known = node;
        }
    }

    /// Hands out the steps up to a node that lies on the ways to all nodes from `index` on, which
    /// becomes the first. Returns its index; `None` if `sink` wants no more.
    ///
    /// Where ways run apart for too long, as they do in a row of equal bytes, all are given up that
    /// do not join the best one.
    fn settle(&mut self, index: usize, sink: &mut impl FnMut(Step) -> bool) -> Option<usize> {
        let mut first = self.common_node(index);
        if first <= index / 2 {
            first = self.best_node(index)?;
            self.keep_from(first);
        }
        if !self.emit(first, sink) {
            return None;
        }
        self.nodes.drain(..first);
        let before = self.nodes.first()?.cost;
        for node in self.nodes.iter_mut().filter(|node| node.cost != UNREACHED) {
            node.cost -= before;
        }
        Some(first)
    }

    /// The last node up to `index` on the way to the cheapest node from there on, and of those the
    /// farthest.
    fn best_node(&self, index: usize) -> Option<usize> {
        let beyond = self.nodes.iter().enumerate().skip(index);
        let (mut at, _) = beyond.min_by_key(|(at, node)| (node.cost, std::cmp::Reverse(*at)))?;
        while at > index {
            at = at.checked_sub(self.nodes.get(at)?.step.len)?;
        }
        Some(at)
    }

    /// Gives up all ways that do not pass the node at `first`.
    fn keep_from(&mut self, first: usize) {
        for at in first + 1..self.nodes.len() {
            let Some(node) = self.nodes.get(at) else { break };
            let before = at.checked_sub(node.step.len).filter(|&before| before >= first);
            if !before.is_some_and(|before| self.reaches(before))
                && let Some(node) = self.nodes.get_mut(at)
            {
                *node = FAR;
            }
        }
    }

    fn reaches(&self, index: usize) -> bool {
        self.nodes.get(index).is_some_and(|node| node.cost != UNREACHED)
    }

    /// The last node before `index`, or there, that the ways to all nodes from there on pass.
    fn common_node(&self, index: usize) -> usize {
        let mut on_a_way: Vec<bool> = self
            .nodes
            .iter()
            .enumerate()
            .map(|(at, node)| at >= index && node.cost != UNREACHED)
            .collect();
        let mut ways = on_a_way.iter().filter(|&&on| on).count();
        for (at, node) in self.nodes.iter().enumerate().rev() {
            if on_a_way.get(at) != Some(&true) {
                continue;
            }
            if ways == 1 {
                return at;
            }
            let before = at.checked_sub(node.step.len).and_then(|at| on_a_way.get_mut(at));
            let Some(before) = before else { return 0 };
            if *before {
                ways -= 1;
            }
            *before = true;
        }
        0
    }

    /// Hands out the steps from the first node to that at `index`.
    fn emit(&self, index: usize, sink: &mut impl FnMut(Step) -> bool) -> bool {
        let mut steps = Vec::new();
        let mut at = index;
        while at > 0 {
            let Some(node) = self.nodes.get(at) else { return false };
            steps.push(node.step);
            at = at.saturating_sub(node.step.len);
        }
        steps.into_iter().rev().all(sink)
    }
}
