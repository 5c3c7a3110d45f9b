//! Keeps `REQUIREMENTS.md` and the tests in sync: each row has a proof; a test that a row names exists and cites the row's id in a
//! comment, directly above the function or inside it; and a test that cites an id is named by its row. `THREAT_MODEL.md` is
//! compared with the tests, fuzz targets and scripts that it names.
//!
//! `UPDATE_REQUIREMENTS=1 cargo test --test requirements` writes the tests that cite an id into its row.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

const TABLE: &str = include_str!("REQUIREMENTS.md");

/// The rows of sections 1 to 14, then the decisions.
const ROWS: [usize; 15] = [63, 20, 12, 36, 19, 13, 21, 12, 32, 8, 9, 11, 55, 29, 98];

const KINDS: [&str; 3] = ["app: ", "by design: ", "not yet: "];
const UNTESTED: &str = "not yet: untested";

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn every_requirement_has_its_proof() {
    let sources = Sources::read();
    let table = match std::env::var_os("UPDATE_REQUIREMENTS") {
        None => TABLE.to_owned(),
        Some(_) => {
            let table = update(TABLE, &sources);
            fs::write(root().join("tests/REQUIREMENTS.md"), &table).unwrap();
            table
        }
    };

    let (rows, mut faults) = parse(&table);
    faults.extend(check_ids(&rows, &sources));
    faults.extend(rows.iter().flat_map(|row| check_proof(row, &sources)));

    // Not `eprintln`, which the test harness would capture.
    std::io::stderr().write_all(summary(&rows).as_bytes()).unwrap();
    assert!(faults.is_empty(), "REQUIREMENTS.md:\n  {}", faults.join("\n  "));
}

/// Each row of `THREAT_MODEL.md` names what verifies the guarantee: tests, `fuzz/TARGET` and scripts. Each fuzz target is in a row.
#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn every_threat_has_its_proof() {
    let tests = Sources::read().tests;
    let targets: BTreeSet<_> = rust_files(&root().join("fuzz/fuzz_targets"))
        .into_iter()
        .map(|target| format!("fuzz/{}", module(Path::new(target.file_name().unwrap()))))
        .collect();
    let exists = |proof: &str| {
        tests.contains(proof)
            || targets.contains(proof)
            || proof.contains('/') && root().join(proof).is_file()
    };

    let rows = include_str!("THREAT_MODEL.md")
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| an attacker can | "));
    let (mut faults, mut named) = (Vec::new(), BTreeSet::new());
    for row in rows {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [threat, guarantee, proofs] = cells[..] else {
            panic!("three cells: {row}")
        };
        assert!(!threat.is_empty() && !guarantee.is_empty(), "{row}");
        for proof in proofs.split(", ").map(|proof| proof.trim_matches('`')) {
            if !exists(proof) {
                faults.push(format!("{threat}: there is no {proof:?}"));
            }
            named.insert(proof.to_owned());
        }
    }
    faults.extend(
        targets
            .difference(&named)
            .map(|target| format!("{target} is in no row")),
    );
    assert!(named.len() > 100, "the rows are found: {}", named.len());
    assert!(faults.is_empty(), "THREAT_MODEL.md:\n  {}", faults.join("\n  "));
}

struct Row {
    /// The index of the section, from 0.
    section: usize,
    id: String,
    tests: BTreeSet<String>,
    /// One of `KINDS`; empty if the row names only tests.
    prose: String,
}

/// What the files under `src` and `tests` contain.
#[derive(Default)]
struct Sources {
    tests: BTreeSet<String>,
    /// Each id that a comment cites, with the tests that cite it; empty if it is cited elsewhere.
    cited: BTreeMap<String, BTreeSet<String>>,
    docs: String,
}

fn parse(table: &str) -> (Vec<Row>, Vec<String>) {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    let mut sections = 0;
    for line in table.lines() {
        sections += usize::from(line.starts_with("## "));
        let Some((front, proof)) = split_row(line) else {
            continue;
        };
        let cells: Vec<_> = front.trim_matches('|').split('|').map(str::trim).collect();
        let known = match cells[..] {
            [_, role, level, _] => ["S", "C", "B"].contains(&role) && ["M", "S", "Y", "D"].contains(&level),
            [id, _, _] => id.starts_with('D'),
            _ => false,
        };
        if !known || sections == 0 {
            faults.push(format!("{}: not the cells of a row", cells[0]));
        }
        let (tests, prose) = split_proof(proof);
        rows.push(Row {
            section: sections.max(1) - 1,
            id: cells[0].to_owned(),
            tests: tests
                .split(", ")
                .map(|test| test.trim_matches('`').to_owned())
                .filter(|test| !test.is_empty())
                .collect(),
            prose: prose.to_owned(),
        });
    }
    (rows, faults)
}

/// Splits the last cell from the others.
fn split_row(line: &str) -> Option<(&str, &str)> {
    let id = line.strip_prefix("| ")?.split(' ').next()?;
    let (front, proof) = line.trim_end().strip_suffix('|')?.rsplit_once('|')?;
    is_id(id).then_some((front, proof.trim()))
}

fn split_proof(proof: &str) -> (&str, &str) {
    match proof.starts_with('`') {
        true => proof.split_once("; ").unwrap_or((proof, "")),
        false => ("", proof),
    }
}

fn update(table: &str, sources: &Sources) -> String {
    let update_line = |line: &str| {
        let Some((front, proof)) = split_row(line) else {
            return format!("{line}\n");
        };
        let id = front
            .trim_start_matches("| ")
            .split(' ')
            .next()
            .unwrap_or_default();
        let tests: Vec<_> = sources.cited_by(id).map(|test| format!("`{test}`")).collect();
        let proof = match (tests.is_empty(), split_proof(proof).1) {
            (true, "") => UNTESTED.to_owned(),
            (true, prose) => prose.to_owned(),
            (false, prose) if prose.is_empty() || prose.starts_with("not yet: ") => tests.join(", "),
            (false, prose) => format!("{}; {prose}", tests.join(", ")),
        };
        format!("{front}| {proof} |\n")
    };
    table.lines().map(update_line).collect()
}

fn check_ids(rows: &[Row], sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (section, expected) in ROWS.into_iter().enumerate() {
        let count = rows.iter().filter(|row| row.section == section).count();
        if count != expected {
            faults.push(format!(
                "section {}: {count} rows instead of {expected}",
                section + 1
            ));
        }
    }
    let mut ids = BTreeSet::new();
    for row in rows {
        if !ids.insert(&row.id) {
            faults.push(format!("{}: stands twice", row.id));
        }
    }
    for id in sources.cited.keys().filter(|id| !ids.contains(id)) {
        let tests: Vec<_> = sources.cited_by(id).collect();
        faults.push(format!("{id}: no such row, but a comment cites it {tests:?}"));
    }
    faults
}

fn check_proof(row: &Row, sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: String| faults.push(format!("{}: {what}", row.id));
    let kind = KINDS
        .into_iter()
        .find(|kind| row.prose.starts_with(kind) && row.prose.len() > kind.len());
    match kind {
        None if !row.prose.is_empty() => fault(format!("unknown kind of proof: {}", row.prose)),
        None if row.tests.is_empty() => fault("no proof".to_owned()),
        Some("not yet: ") if !row.tests.is_empty() => fault("has tests, so what is not yet?".to_owned()),
        Some("app: ") => {
            // What is left to the application is documented, and quoted from there.
            let quotes: Vec<_> = row.prose.split('"').skip(1).step_by(2).collect();
            if quotes.is_empty() || quotes.iter().any(|quote| !sources.docs.contains(quote)) {
                fault(format!("the documentation does not say {quotes:?}"));
            }
        }
        _ => {}
    }
    let cited: BTreeSet<_> = sources.cited_by(&row.id).cloned().collect();
    for test in row.tests.difference(&cited) {
        match sources.tests.contains(test) {
            true => fault(format!("{test} does not cite it")),
            false => fault(format!("there is no test {test}")),
        }
    }
    for test in cited.difference(&row.tests) {
        fault(format!("does not name {test}, which cites it"));
    }
    faults
}

fn summary(rows: &[Row]) -> String {
    let (decisions, requirements): (Vec<&Row>, Vec<&Row>) =
        rows.iter().partition(|row| row.id.starts_with('D'));
    let count = |rows: &[&Row], what: &str| {
        let untested = rows.iter().filter(|row| row.tests.is_empty());
        let of_kind = |kind| untested.clone().filter(|row| row.prose.starts_with(kind)).count();
        let tested = rows.len() - untested.clone().count();
        let [app, by_design, not_yet] = KINDS.map(of_kind);
        let all = rows.len();
        format!("{all} {what}: {tested} tested, {app} app, {by_design} by design, {not_yet} not yet\n")
    };
    let untested: Vec<_> = rows
        .iter()
        .filter(|row| row.prose == UNTESTED)
        .map(|row| &row.id[..])
        .collect();
    let untested = match untested.is_empty() {
        true => String::new(),
        false => format!("{} untested: {}\n", untested.len(), untested.join(" ")),
    };
    count(&requirements, "requirements") + &count(&decisions, "decisions") + &untested
}

impl Sources {
    fn read() -> Self {
        let mut sources = Self::default();
        for room in ["src", "tests"] {
            let room = root().join(room);
            for file in rust_files(&room) {
                let module = module(file.strip_prefix(&room).unwrap());
                if module != "requirements" {
                    sources.read_file(&module, &fs::read_to_string(file).unwrap());
                }
            }
        }
        sources
    }

    fn cited_by(&self, id: &str) -> impl Iterator<Item = &String> {
        self.cited.get(id).into_iter().flatten()
    }

    /// Goes line by line, as rustfmt formats them.
    fn read_file(&mut self, file: &str, text: &str) {
        let mut modules = vec![(0, file)];
        let mut above = Vec::new();
        let mut is_test = false;
        let mut test: Option<(usize, String)> = None;
        for line in text.lines() {
            let code = line.trim_start();
            let indent = line.len() - code.len();
            if let Some(docs) = code.strip_prefix("///").or(code.strip_prefix("//!")) {
                self.docs.push_str(docs);
            }
            let ids = line
                .split_once("//")
                .map_or(Vec::new(), |(_, comment)| ids(comment));
            for id in &ids {
                self.cited.entry(id.clone()).or_default();
            }
            if let Some((_, name)) = &test {
                self.cite(ids, name);
            } else if code.starts_with("//") {
                above.extend(ids);
            } else if code.starts_with("#[") {
                is_test |= code == "#[test]";
            } else if let Some(name) = code.strip_prefix("fn ").filter(|_| is_test) {
                let name = name.split(['(', '<']).next().unwrap_or_default();
                let path: Vec<_> = modules.iter().map(|(_, module)| *module).chain([name]).collect();
                let name = path.join("::");
                self.tests.insert(name.clone());
                self.cite(above.drain(..).chain(ids).collect(), &name);
                test = Some((indent, name));
            } else {
                above.clear();
                is_test = false;
                if let Some(module) = code.strip_prefix("mod ").and_then(|code| code.strip_suffix(" {")) {
                    modules.push((indent, module));
                }
            }
            if code.starts_with('}') || code.ends_with("{}") {
                if test.as_ref().is_some_and(|(at, _)| *at == indent) {
                    test = None;
                    is_test = false;
                } else if test.is_none()
                    && modules.len() > 1
                    && modules.last().is_some_and(|(at, _)| *at == indent)
                {
                    modules.pop();
                }
            }
        }
    }

    fn cite(&mut self, ids: Vec<String>, test: &str) {
        for id in ids {
            self.cited.entry(id).or_default().insert(test.to_owned());
        }
    }
}

fn ids(comment: &str) -> Vec<String> {
    let words = comment.split(|char: char| !char.is_ascii_alphanumeric() && !"-.".contains(char));
    let words = words.map(|word| word.trim_end_matches(['-', '.']));
    words.filter(|word| is_id(word)).map(str::to_owned).collect()
}

/// `6455-5.1-02` or `D3`. A word that begins or ends like an id counts as one too, so that typos are found.
fn is_id(word: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match word.split_once('-') {
        Some(("", rest)) => rest.len() == 2 && digits(rest),
        Some((rfc, rest)) => {
            ["6455", "7692", "8441", "9110", "9112", "9220"].contains(&rfc) && rest.contains('-')
        }
        None => word.len() <= 3 && word.strip_prefix('D').is_some_and(digits),
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.flat_map(|path| match path.is_dir() {
        true => rust_files(&path),
        false => vec![path],
    });
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Converts `frame/mod.rs` to `frame`, and `frame/header.rs` to `frame::header`.
fn module(path: &Path) -> String {
    let path = path.with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap()).collect();
    match parts[..] {
        [ref folders @ .., "mod" | "main"] if !folders.is_empty() => folders.join("::"),
        _ => parts.join("::"),
    }
}
