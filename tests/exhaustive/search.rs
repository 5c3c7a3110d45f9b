//! Goes through all states that a system can reach, breadth first: the first path that is found to a fault is a shortest one.
//!
//! A system cannot be copied, so each state is reached by its path from the start. States with the same key are taken for one. What
//! the key leaves out must not matter to what follows; `search` holds that to the facts where a state is reached in another way.

use std::collections::HashMap;
use std::fmt::{self, Debug};

/// Something with states, which panics as soon as an invariant is broken.
pub trait System {
    type Act: Copy + Debug;

    fn act(&mut self, act: Self::Act);

    /// What tells this state from others.
    fn key(&self) -> u128;

    /// Ends in a fair way, and checks what has to come of it.
    fn finish(self);
}

/// Where a search stops.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub depth: usize,
    /// Of the states that are reached again in another way, each so many is held to its key.
    pub check_each: usize,
}

impl Bounds {
    /// All states, of which there has to be an end.
    pub const NONE: Self = Self {
        depth: usize::MAX,
        check_each: 100,
    };
}

/// What a search went through.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub states: usize,
    /// Acts in states, those included that change nothing.
    pub acts: u64,
    /// How many acts the farthest state is away.
    pub depth: usize,
    /// Whether there is no state beyond.
    pub is_complete: bool,
}

impl Found {
    pub const NOTHING: Self = Self {
        states: 0,
        acts: 0,
        depth: 0,
        is_complete: true,
    };

    pub fn add(&mut self, other: Self) {
        self.states += other.states;
        self.acts += other.acts;
        self.depth = self.depth.max(other.depth);
        self.is_complete &= other.is_complete;
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            states,
            acts,
            depth,
            is_complete,
        } = self;
        let end = if *is_complete { ", which is all" } else { "" };
        write!(f, "{states} states and {acts} acts, to depth {depth}{end}")
    }
}

/// A state, by how it was reached first.
struct Reached {
    from: u32,
    /// The place in the list of acts.
    act: u8,
}

/// Prints the path if it is dropped in a panic.
struct Path<'a, A: Debug> {
    name: &'a str,
    acts: &'a [A],
    places: Vec<u8>,
}

impl<A: Debug> Drop for Path<'_, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let places: Vec<_> = self.places.iter().map(u8::to_string).collect();
            let acts: Vec<_> = self
                .places
                .iter()
                .map(|place| &self.acts[usize::from(*place)])
                .collect();
            eprintln!(
                "{} after {acts:?}\nreplay by EXHAUSTIVE_PATH={}",
                self.name,
                places.join(".")
            );
        }
    }
}

/// Goes through the states of what `start` makes. With `EXHAUSTIVE_PATH` it goes that path alone.
pub fn search<S: System>(name: &str, start: impl Fn() -> S, acts: &[S::Act], bounds: Bounds) -> Found {
    let run = |places: &[u8]| {
        let mut path = Path {
            name,
            acts,
            places: Vec::with_capacity(places.len()),
        };
        let mut system = start();
        for &place in places {
            path.places.push(place);
            system.act(acts[usize::from(place)]);
        }
        (system, path)
    };
    if let Ok(path) = std::env::var("EXHAUSTIVE_PATH") {
        let places: Vec<u8> = path
            .split('.')
            .map(|place| place.parse().expect("a number"))
            .collect();
        let (system, _path) = run(&places);
        system.finish();
        return Found::NOTHING;
    }
    let first = start();
    let mut known = HashMap::from([(first.key(), 0)]);
    let mut reached = vec![Reached { from: 0, act: 0 }];
    first.finish();
    let mut found = Found::NOTHING;
    let (mut layer, mut again) = (0..1, 0);
    while !layer.is_empty() && found.depth < bounds.depth {
        for at in layer.clone() {
            let places = path_to(&reached, at);
            let mut reused = None;
            for act in 0..acts.len() as u8 {
                let (mut system, mut path) = reused.take().unwrap_or_else(|| run(&places));
                let before = system.key();
                path.places.truncate(places.len());
                path.places.push(act);
                system.act(acts[usize::from(act)]);
                found.acts += 1;
                let key = system.key();
                if key == before {
                    reused = Some((system, path));
                    continue;
                }
                let Some(&other) = known.get(&key) else {
                    known.insert(key, reached.len());
                    reached.push(Reached { from: at as u32, act });
                    system.finish();
                    continue;
                };
                again += 1;
                if again % bounds.check_each == 0 {
                    system.finish();
                    for act in 0..acts.len() as u8 {
                        let after = |places: &[u8]| run(&[places, &[act]].concat()).0.key();
                        let (there, here) = (path_to(&reached, other), &path.places);
                        assert_eq!(
                            after(&there),
                            after(here),
                            "{there:?} and {here:?} are not the same, as {act} shows"
                        );
                    }
                }
            }
        }
        layer = layer.end..reached.len();
        found.depth += usize::from(!layer.is_empty());
    }
    found.states = reached.len();
    found.is_complete = layer.is_empty();
    found
}

fn path_to(reached: &[Reached], mut at: usize) -> Vec<u8> {
    let mut places = Vec::new();
    while at > 0 {
        places.push(reached[at].act);
        at = reached[at].from as usize;
    }
    places.reverse();
    places
}
