"""Weaves mutants of the library into one copy of its sources.

A function with n mutants becomes a choice between n + 1 bodies, by a number that a test program finds in the variable `MUTANT`.
So all are built once. Mutants that do not compile are taken out again, by the lines that the compiler names.
"""

import collections
import pathlib
import re

CHOICE = """
/// Which mutant is chosen, and which functions are reached.
pub(crate) mod mutants {
    extern crate std;
    use core::ffi::{CStr, c_char};
    use std::io::Write;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

    const UNKNOWN: u32 = u32::MAX;
    static CHOSEN: AtomicU32 = AtomicU32::new(UNKNOWN);
    static REACHED: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

    pub(crate) fn chosen(function: usize) -> u32 {
        if CHOSEN.load(Relaxed) == UNKNOWN {
            CHOSEN.store(number().unwrap_or(0), Relaxed);
        }
        if !REACHED[function].swap(true, Relaxed) {
            if let Ok(path) = std::env::var("REACHED") {
                let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
                std::writeln!(file.unwrap(), "{function}").unwrap();
            }
        }
        CHOSEN.load(Relaxed)
    }

    unsafe extern "C" {
        fn getenv(name: *const c_char) -> *const c_char;
    }

    /// Without an allocation, which a test would count and so fail with any mutant.
    fn number() -> Option<u32> {
        // SAFETY: the name ends with a zero, and no test changes the environment.
        let value = unsafe { getenv(c"MUTANT".as_ptr()) };
        if value.is_null() {
            return None;
        }
        // SAFETY: it is not null, so it is a string that ends with a zero.
        unsafe { CStr::from_ptr(value) }.to_str().ok()?.parse().ok()
    }

    pub(crate) fn leak<T: 'static>(items: std::vec::Vec<T>) -> &'static [T] {
        items.leak()
    }

    /// For functions that return some iterator, as the bodies have to be of one type.
    #[derive(Clone)]
    pub(crate) enum Woven<W, B> {
        Whole(W),
        Broken(B),
    }

    impl<W: Iterator, B: Iterator<Item = W::Item>> Iterator for Woven<W, B> {
        type Item = W::Item;

        fn next(&mut self) -> Option<W::Item> {
            match self {
                Self::Whole(iterator) => iterator.next(),
                Self::Broken(iterator) => iterator.next(),
            }
        }
    }
}
"""

# A function that has the bodies of all its mutants is compiled once, not into each of its callers.
INLINED = re.compile(r"#\[inline(\(always\))?\]")

SKIPPED = [
    re.compile(pattern, re.S)
    for pattern in (
        r"//[^\n]*",
        r"/\*.*?\*/",
        r'b?r(#*)".*?"\1',
        r'b?"(\\.|[^"\\])*"',
        r"b?'(\\u\{\w+\}|\\x\w\w|\\.|[^'\\])'",
    )
]


def past(text, at):
    """Past the comment, string or character that begins here, or past one character of code."""
    for pattern in SKIPPED:
        if found := pattern.match(text, at):
            return found.end()
    return at + 1


class Function:
    """A function of the library, with those inside it."""

    def __init__(self, number, name, file, text, start, end):
        self.number, self.name, self.file, self.start, self.end = number, name, file, start, end
        self.mutants = []
        depth, at = 0, start
        while text[at] != "{" or depth > 0:
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(text[at], 0)
            at = past(text, at)
        self.signature, self.body = text[start:at], (at + 1, end - 1)

    def is_iterator(self):
        return "-> impl Iterator<" in self.signature

    def is_constant(self, path):
        """Whether it is a constant function, and the one that the compiler names so."""
        generics = r"(::)?<[^<>]*>"
        name, path = (re.sub(generics, "", name) for name in (self.name, path))
        return re.search(r"\bconst (unsafe )?fn\b", self.signature) and f"::{path}".endswith(f"::{name}")


class Weave:
    """The mutants, the functions that they are in, and how both come into a copy of the sources."""

    def __init__(self, root, mutants):
        self.root, self.functions, self.texts = root, [], {}
        self.mutants = dict(enumerate(mutants, 1))
        # What does not compile; and what needs a build of its own, as a constant is made with it.
        self.unviable, self.unwoven = set(), set()
        self.texts["src/lib.rs"] = pathlib.Path("src/lib.rs").read_text()
        for number, one in self.mutants.items():
            one["number"], one["place"] = number, self.place(one["file"], one["span"])
        for file in sorted(self.texts):
            self.find_functions(file)
        self.function_of = {number: function for function in self.functions for number in function.mutants}
        self.unwoven.update(self.mutants.keys() - self.function_of.keys())

    def place(self, file, span):
        """A span of lines and columns as one of characters."""
        text = self.texts.setdefault(file, pathlib.Path(file).read_text())
        starts = [0, *(at.end() for at in re.finditer("\n", text))]
        return tuple(starts[span[end]["line"] - 1] + span[end]["column"] - 1 for end in ("start", "end"))

    def text_of(self, number):
        """What makes a mutant what it is: its function, or its file if it is in none, before and after the change."""
        one, function = self.mutants[number], self.function_of.get(number)
        text = self.texts[one["file"]]
        begin, end = (function.start, function.end) if function else (0, len(text))
        start, stop = one["place"]
        return "\0".join((one["file"], function.name if function else "", text[begin:start], text[start:stop], one["replacement"], text[stop:end]))

    def find_functions(self, file):
        here = [one for one in self.mutants.values() if one["file"] == file and one["function"]]
        names = {self.place(file, one["function"]["span"]): one["function"]["function_name"] for one in here}
        end = 0
        for start, stop in sorted(names, key=lambda span: (span[0], -span[1])):
            # What is inside another function is a part of its body.
            if start < end:
                continue
            end = stop
            function = Function(len(self.functions), names[start, stop], file, self.texts[file], start, end)
            function.mutants = [one["number"] for one in here if start <= one["place"][0] < end]
            self.functions.append(function)
            if function.is_iterator():
                values = {one["number"] for one in here if one["genre"] == "FnValue"}
                self.unwoven.update(set(function.mutants) - values)

    def write_alone(self, root, number):
        """Writes the one file that a mutant changes."""
        one = self.mutants[number]
        text, (start, end) = self.texts[one["file"]], one["place"]
        put(root / one["file"], text[:start] + one["replacement"] + text[end:])

    def write(self):
        """Writes the sources with all mutants in them."""
        self.lines = collections.defaultdict(list)
        for file, text in self.texts.items():
            pieces, at, line = [], 0, 1
            for function in sorted((f for f in self.functions if f.file == file), key=lambda f: f.start):
                before = text[at : function.start]
                line += before.count("\n")
                woven = self.choice(function, line)
                line += woven.count("\n")
                pieces += [before, woven]
                at = function.end
            pieces.append(text[at:])
            if file == "src/lib.rs":
                pieces.append(CHOICE.replace("COUNT", str(len(self.functions))))
            put(self.root / file, INLINED.sub("", "".join(pieces)))

    def choice(self, function, line):
        text = self.texts[function.file]
        begin, end = function.body
        numbers = [n for n in function.mutants if n not in self.unviable and n not in self.unwoven]
        if not numbers:
            return text[function.start : function.end]
        signature = re.sub(r"\bconst (unsafe )?fn\b", r"\1fn", function.signature)
        pieces = [f"{signature}{{ match crate::mutants::chosen({function.number}) {{\n"]
        line += pieces[0].count("\n")
        broken, whole = "{}", "{}"
        if function.is_iterator():
            broken, whole = "crate::mutants::Woven::Broken({})", "crate::mutants::Woven::Whole({})"
        for number in numbers:
            start, stop = self.mutants[number]["place"]
            body = f"{{{text[begin:start]} {self.replacement(number, function)} {text[stop:end]}}}"
            pieces.append(f"{number} => {broken.format(body)},\n")
            self.lines[function.file].append((line, line + pieces[-1].count("\n"), number))
            line += pieces[-1].count("\n")
        body = f"{{{text[begin:end]}}}"
        pieces.append(f"_ => {whole.format(body)},\n}} }}")
        return "".join(pieces)

    def replacement(self, number, function):
        replacement = self.mutants[number]["replacement"]
        if not function.is_iterator():
            return replacement
        items = re.fullmatch(r"::std::iter::(?:empty\(\)|once\((.*)\))", replacement, re.S)[1] or ""
        items = items.replace("Vec::leak", "crate::mutants::leak")
        return f"::std::vec![{items}].into_iter()"

    def take_out(self, errors):
        """Takes out what the compiler complains of; whether there was anything."""
        before = len(self.unviable) + len(self.unwoven)
        for error in errors:
            code = (error["code"] or {}).get("code")
            # A function that is no longer constant, called where it has to be.
            if code == "E0015":
                path = re.search(r"`(.*)`", error["message"])[1]
                self.unwoven.update(n for f in self.functions if f.is_constant(path) for n in f.mutants)
                continue
            for span in error["spans"]:
                for first, end, number in self.lines[span["file_name"]]:
                    if span["is_primary"] and first <= span["line_start"] < end:
                        self.unviable.add(number)
        return len(self.unviable) + len(self.unwoven) > before


def put(path, text):
    """Leaves a file alone that has this text, so that it is not built again."""
    if not path.exists() or path.read_text() != text:
        path.write_text(text)
