//! Visits all reachable states of a system, breadth first, so the first path found to a fault is a shortest one.
//!
//! A system cannot be cloned, so each state is reached by replaying its path from the start. States with the same key count as
//! equal. The key may omit only what does not affect later behavior; if a state is reached by another path, `search` checks that.

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::hash::Hasher;
use std::sync::Mutex;

/// A system with states. It panics as soon as an invariant is violated.
pub trait System {
    type Act: Copy + Debug;

    /// Whether the search includes this act.
    fn is_possible(&self, _: Self::Act) -> bool {
        true
    }

    fn act(&mut self, act: Self::Act);

    /// Feeds everything that distinguishes this state from others.
    fn feed(&self, hasher: &mut impl Hasher);

    /// Runs the system to its end over a fair transport, and checks the result.
    fn finish(self);
}

/// The bounds of a search.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub depth: usize,
    /// How often the key is checked: at every nth time that a known state is reached by another path.
    pub check_each: usize,
}

impl Bounds {
    /// No bounds: all states, which must be finitely many.
    pub const NONE: Self = Self {
        depth: usize::MAX,
        check_each: 100,
    };
}

/// What a search covered.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub states: usize,
    /// The number of acts, including those that do not change the state.
    pub acts: u64,
    /// The number of acts on the path to the most distant state.
    pub depth: usize,
    /// Whether all reachable states were visited.
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
        let end = if *is_complete { " (complete)" } else { "" };
        write!(f, "{states} states and {acts} acts, to depth {depth}{end}")
    }
}

/// A state, identified by how it was first reached.
struct Reached {
    from: u32,
    /// The index in the list of acts.
    act: u8,
}

/// Prints the path if dropped during a panic.
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

/// Visits the states reachable from `start`. If `EXHAUSTIVE_PATH` is set, follows only that path.
fn search<S: System>(name: &str, start: impl Fn() -> S, acts: &[S::Act], bounds: Bounds) -> Found {
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
    let mut known = HashMap::from([(key(&first), 0)]);
    let mut reached = vec![Reached { from: 0, act: 0 }];
    first.finish();
    let mut found = Found::NOTHING;
    let (mut layer, mut again) = (0..1, 0);
    while !layer.is_empty() && found.depth < bounds.depth {
        for at in layer.clone() {
            let places = path_to(&reached, at);
            let mut reused = Some(run(&places));
            let before = reused.as_ref().map(|(system, _)| key(system));
            for act in 0..acts.len() as u8 {
                let (mut system, mut path) = reused.take().unwrap_or_else(|| run(&places));
                if !system.is_possible(acts[usize::from(act)]) {
                    reused = Some((system, path));
                    continue;
                }
                path.places.truncate(places.len());
                path.places.push(act);
                system.act(acts[usize::from(act)]);
                found.acts += 1;
                let after = key(&system);
                if Some(after) == before {
                    reused = Some((system, path));
                    continue;
                }
                let Some(&other) = known.get(&after) else {
                    known.insert(after, reached.len());
                    reached.push(Reached { from: at as u32, act });
                    system.finish();
                    continue;
                };
                again += 1;
                if again % bounds.check_each == 0 {
                    system.finish();
                    for act in 0..acts.len() as u8 {
                        let after = |places: &[u8]| fed(&run(&[places, &[act]].concat()).0);
                        let (there, here) = (path_to(&reached, other), &path.places);
                        assert_eq!(
                            after(&there),
                            after(here),
                            "{there:?} and {here:?} have the same key but differ after act {act}"
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

/// Searches each setup, with two threads.
pub fn search_all<S: System, C: Debug + Sync>(
    setups: &[C],
    start: impl Fn(&C) -> S + Sync,
    acts: &[S::Act],
    bounds: Bounds,
) -> Found
where
    S::Act: Sync,
{
    let (next, total) = (Mutex::new(setups.iter()), Mutex::new(Found::NOTHING));
    let work = || {
        loop {
            let setup = next.lock().unwrap().next();
            let Some(setup) = setup else { return };
            let found = search(&format!("{setup:?}"), || start(setup), acts, bounds);
            total.lock().unwrap().add(found);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(work);
        work();
    });
    total.into_inner().unwrap()
}

/// The hash of a state, wide enough to make collisions improbable.
pub fn key(system: &impl System) -> u128 {
    let mut wide = Wide([0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344]);
    system.feed(&mut wide);
    let [a, b] = wide.0;
    u128::from(a) << 64 | u128::from(b)
}

/// Two hashes that multiply by different constants. They take a fraction of the time of two `DefaultHasher`s.
struct Wide([u64; 2]);

impl Hasher for Wide {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn write_u64(&mut self, value: u64) {
        let odd = [0x9e37_79b9_7f4a_7c15, 0xc2b2_ae3d_27d4_eb4f_u64];
        for (half, odd) in self.0.iter_mut().zip(odd) {
            let product = u128::from(*half ^ value ^ odd) * u128::from(odd);
            // The rotation keeps a product of zero from forgetting what was hashed before.
            *half = (product as u64) ^ (product >> 64) as u64 ^ half.rotate_left(29);
        }
    }

    fn finish(&self) -> u64 {
        self.0[0]
    }
}

/// Records what was fed, for comparison.
#[derive(Debug, Default, Eq, PartialEq)]
struct Fed(Vec<Vec<u8>>);

impl Hasher for Fed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.push(bytes.to_vec());
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn fed(system: &impl System) -> Fed {
    let mut fed = Fed::default();
    system.feed(&mut fed);
    fed
}
