//! Lists the public API as rustdoc's JSON has it for some sets of features, each item behind the first set that has it:
//! `list-public-api SET=FILE.json ...`. The last set is that of all features.

use std::collections::{HashMap, HashSet};
use std::env::args;
use std::error::Error;

use public_api::{Builder, PublicItem};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Nobody can ask for these traits, which are not stable, and come and go with the compiler.
const UNSTABLE: [&str; 3] = ["Freeze", "StructuralPartialEq", "UnsafeUnpin"];

fn main() -> Result<()> {
    let sets = args().skip(1).map(|argument| {
        let (set, file) = argument.split_once('=').ok_or("SET=FILE.json is wanted")?;
        Ok((set.to_owned(), items(file)?))
    });
    let sets: Vec<(String, Vec<String>)> = sets.collect::<Result<_>>()?;
    let (_, all) = sets.last().ok_or("SET=FILE.json is wanted")?;
    features_only_add(&sets, all)?;

    let mut first = HashMap::new();
    for (set, items) in &sets {
        for item in items {
            first.entry(item).or_insert(set);
        }
    }
    for item in all {
        println!("{:<10}{item}", first[item]);
    }
    Ok(())
}

/// The items in their order, without what follows from others: a trait's functions from its implementation.
fn items(file: &str) -> Result<Vec<String>> {
    let api = Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .build()?;
    let traits: HashSet<_> = api
        .items()
        .filter(|item| is_of_trait(item))
        .map(PublicItem::id)
        .collect();
    let mut seen = HashSet::new();
    let items = api.items().filter_map(|item| {
        let text = item.to_string();
        let follows = text.contains("fn ") && item.parent_id().is_some_and(|parent| traits.contains(&parent));
        (!follows && !is_guide(&text) && !is_unstable(&text) && seen.insert(text.clone())).then_some(text)
    });
    Ok(items.collect())
}

fn is_of_trait(item: &PublicItem) -> bool {
    let text = item.to_string();
    text.starts_with("impl") && text.contains(" for ")
}

/// The guide is in the documentation only.
fn is_guide(item: &str) -> bool {
    item.starts_with("pub mod websocket_proto::guide")
}

fn is_unstable(item: &str) -> bool {
    UNSTABLE
        .iter()
        .any(|name| item.contains(&format!(" core::marker::{name} for ")))
}

fn features_only_add(sets: &[(String, Vec<String>)], all: &[String]) -> Result<()> {
    let all: HashSet<_> = all.iter().collect();
    let items = sets
        .iter()
        .flat_map(|(set, items)| items.iter().map(move |item| (set, item)));
    let lost = items.filter(|(_, item)| !all.contains(item)).collect::<Vec<_>>();
    for (set, item) in &lost {
        eprintln!("in the set {set}, and not with all features: {item}");
    }
    if lost.is_empty() {
        Ok(())
    } else {
        Err("features must only add".into())
    }
}
