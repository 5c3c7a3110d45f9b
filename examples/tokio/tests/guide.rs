//! What the guide says about the programs: their lengths, and the code in its tables.

/// The files of the library, without tests.
const LIBRARY: [&str; 7] = [
    include_str!("../src/backoff.rs"),
    include_str!("../src/lib.rs"),
    include_str!("../src/message.rs"),
    include_str!("../src/open.rs"),
    include_str!("../src/split.rs"),
    include_str!("../src/stream.rs"),
    include_str!("../src/tls.rs"),
];

/// The lengths that the documentation states, and one import line for all types.
#[test]
fn programs_are_as_short_as_the_documentation_says() {
    for (program, most) in [
        (include_str!("../src/bin/feed.rs"), 40),
        (include_str!("../src/bin/room.rs"), 110),
    ] {
        let lines = code_lines(program);
        assert!(lines <= most, "{lines} lines, of {most}");
        assert_eq!(program.matches("use embedding_tokio").count(), 1);
        assert!(!program.contains("websocket_proto"));
    }
}

/// The lines of code that the chapter on migrating states, each in the row that starts so: of ours, and of the program with
/// the same duties in `tests/programs`.
#[test]
fn programs_have_the_lines_that_the_guide_says() {
    let migrating = include_str!("../../../src/guide/migrating.md");
    let embedding = include_str!("../../../src/guide/embedding.md");
    println!("\n{:28} ours  theirs", "lines of code");
    for (row, ours, theirs) in [
        (
            "`feed.rs`",
            include_str!("../src/bin/feed.rs"),
            Some(include_str!(
                "../../../tests/programs/src/bin/feed_tungstenite.rs"
            )),
        ),
        (
            "`room.rs`",
            include_str!("../src/bin/room.rs"),
            Some(include_str!("../../../tests/programs/src/bin/room_axum.rs")),
        ),
        (
            "`tunnel.rs`",
            include_str!("../src/bin/tunnel.rs"),
            Some(include_str!(
                "../../../tests/programs/src/bin/tunnel_tungstenite.rs"
            )),
        ),
        (
            "`echo.rs`",
            include_str!("../src/bin/echo.rs"),
            Some(include_str!(
                "../../../tests/programs/src/bin/echo_tungstenite.rs"
            )),
        ),
        ("a client on a poll loop", block(embedding, "trait Socket"), None),
        ("a blocking client", block(migrating, "fn print_all"), None),
        ("a client on tokio", block(migrating, "async fn ask"), None),
    ] {
        let (ours, theirs) = (code_lines(ours).to_string(), theirs.map(code_lines));
        let theirs = theirs.map_or("-".into(), |lines| lines.to_string());
        println!("{row:28} {ours:>4}  {theirs:>6}");
        let cells = format!(" | {ours} | {theirs} | ");
        let is_right = |line: &str| line.starts_with(&format!("| {row}")) && line.contains(&cells);
        assert!(migrating.lines().any(is_right), "{row}:{cells}");
    }
    let library: usize = LIBRARY.map(code_lines).iter().sum();
    println!("{:28} {library:>4}", "the library of ours");
    assert!(
        migrating.contains(&format!(" has {library} lines itself")),
        "{library} lines"
    );
}

/// The versions of the libraries that the guide compares with.
#[test]
fn programs_are_compared_with_the_versions_that_the_guide_says() {
    let migrating = include_str!("../../../src/guide/migrating.md");
    let lock = include_str!("../../../tests/programs/Cargo.lock");
    // axum depends on an older tokio-tungstenite, which comes first.
    let version = |name| {
        let found = lock.rsplit_once(&format!("name = \"{name}\"\nversion = \""));
        found
            .and_then(|(_, rest)| rest.split('"').next())
            .unwrap_or_default()
    };
    let (tungstenite, axum) = (version("tokio-tungstenite"), version("axum"));
    let versions = format!("tokio-tungstenite {tungstenite} and axum {axum}");
    assert!(migrating.contains(&versions), "{versions}");
}

/// The block of code of a chapter that contains `part`.
fn block<'c>(chapter: &'c str, part: &str) -> &'c str {
    let mut blocks = chapter.split("```").skip(1).step_by(2);
    let found = blocks.find(|block| block.contains(part));
    found.expect("the chapter has the block")
}

/// The lines without comments, empty lines, and lines that rustdoc does not show.
fn code_lines(code: &str) -> usize {
    let is_code = |line: &&str| {
        let (line, is_hidden) = (line.trim(), line.starts_with("# ") || *line == "#");
        !line.is_empty() && !line.starts_with("//") && !is_hidden
    };
    code.lines().filter(is_code).count()
}

/// The code in the right column of the chapter on migrating is in one of its blocks, which are compiled and run as
/// doctests of this package. Links are checked by rustdoc.
#[test]
fn code_in_the_tables_of_the_guide_is_compiled() {
    let chapter = include_str!("../../../src/guide/migrating.md");
    let (_, chapter) = chapter
        .split_once("# From tokio-tungstenite")
        .expect("it has this section");
    let mut parts = chapter.split("```"); // text and code by turns
    let (mut text, mut code) = (String::new(), String::new());
    while let Some(part) = parts.next() {
        text += part;
        code += parts.next().unwrap_or_default();
    }
    let mut found = 0;
    for row in text.lines().filter(|line| line.starts_with("| ")) {
        let here = row
            .trim_end_matches(" |")
            .rsplit(" | ")
            .next()
            .unwrap_or_default();
        let mut spans = here.split('`').skip(1).step_by(2);
        let links: Vec<_> = here
            .split("[`")
            .skip(1)
            .filter_map(|link| link.split('`').next())
            .collect();
        for span in spans.by_ref().filter(|span| !links.contains(span)) {
            assert!(
                code.contains(span),
                "no block has {span:?}, which is in the row {row}"
            );
            found += 1;
        }
    }
    assert!(found > 20, "the rows are found: {found}");
}
