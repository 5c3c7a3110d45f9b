//! DEFLATE bit by bit, from RFC 1951: a slow decoder, and an encoder for any blocks. Shares no code with the crate or with zlib.
#![allow(dead_code, reason = "each test binary uses its part")]

/// RFC 7692 section 7.2.1: the bytes that a sender removes from the end.
pub const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

pub const LENGTHS: [(usize, u32); 29] = [
    (3, 0),
    (4, 0),
    (5, 0),
    (6, 0),
    (7, 0),
    (8, 0),
    (9, 0),
    (10, 0),
    (11, 1),
    (13, 1),
    (15, 1),
    (17, 1),
    (19, 2),
    (23, 2),
    (27, 2),
    (31, 2),
    (35, 3),
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (258, 0),
];

/// The smallest distance of a symbol, and its extra bits.
pub fn distance(symbol: usize) -> (usize, u32) {
    match symbol {
        0..=3 => (symbol + 1, 0),
        _ => {
            let extra = symbol / 2 - 1;
            (((2 + symbol % 2) << extra) + 1, extra as u32)
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Symbol {
    Literal(u8),
    Match(usize, usize),
}

/// Writes bits, from the lowest bit of each byte.
#[derive(Clone, Default)]
pub struct Bits {
    pub bytes: Vec<u8>,
    pub len: usize,
}

impl Bits {
    pub fn put(&mut self, value: usize, count: u32) {
        for i in 0..count {
            if self.len % 8 == 0 {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= ((value >> i & 1) as u8) << (self.len % 8);
            self.len += 1;
        }
    }

    /// A code is written from its highest bit.
    pub fn code(&mut self, code: usize, count: u32) {
        (0..count).rev().for_each(|i| self.put(code >> i, 1));
    }

    pub fn align(&mut self) {
        self.len = 8 * self.bytes.len();
    }

    pub fn stored(&mut self, last: bool, bytes: &[u8]) {
        self.put(usize::from(last), 3);
        self.align();
        self.put(bytes.len(), 16);
        self.put(!bytes.len(), 16);
        bytes.iter().for_each(|&byte| self.put(usize::from(byte), 8));
    }

    pub fn fixed(&mut self, last: bool, symbols: &[Symbol]) {
        self.put(usize::from(last) | 1 << 1, 3);
        let literal = |bits: &mut Self, symbol: usize| match symbol {
            0..=143 => bits.code(0x30 + symbol, 8),
            144..=255 => bits.code(0x190 + symbol - 144, 9),
            256..=279 => bits.code(symbol - 256, 7),
            _ => bits.code(0xc0 + symbol - 280, 8),
        };
        for symbol in symbols {
            match *symbol {
                Symbol::Literal(byte) => literal(self, usize::from(byte)),
                Symbol::Match(len, back) => {
                    let i = LENGTHS.iter().rposition(|&(base, _)| base <= len).unwrap();
                    literal(self, 257 + i);
                    self.put(len - LENGTHS[i].0, LENGTHS[i].1);
                    let i = (0..30).rev().find(|&i| distance(i).0 <= back).unwrap();
                    self.code(i, 5);
                    self.put(back - distance(i).0, distance(i).1);
                }
            }
        }
        literal(self, 256);
    }

    /// The end of a message.
    pub fn sync(mut self) -> Vec<u8> {
        self.put(0, 3);
        self.bytes
    }
}

/// Reads bits. `None` means the end or an error.
pub struct Reader<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl Reader<'_> {
    pub fn get(&mut self, count: u32) -> Option<usize> {
        let mut value = 0;
        for i in 0..count {
            value |= usize::from(self.bytes.get(self.at / 8)? >> (self.at % 8) & 1) << i;
            self.at += 1;
        }
        Some(value)
    }

    pub fn align(&mut self) {
        self.at = self.at.next_multiple_of(8);
    }

    pub fn is_at_end(&self) -> bool {
        self.at == 8 * self.bytes.len()
    }
}

/// The symbols of each code length, in the order of their codes.
pub struct Code(Vec<Vec<usize>>);

impl Code {
    pub fn new(lengths: &[usize], allow_single: bool) -> Option<Self> {
        let mut symbols = vec![Vec::new(); 16];
        for (symbol, &len) in lengths.iter().enumerate().filter(|&(_, &len)| len > 0) {
            symbols[len].push(symbol);
        }
        let left = symbols[1..]
            .iter()
            .try_fold(1_usize, |left, of| (2 * left).checked_sub(of.len()))?;
        let longest = symbols.iter().rposition(|of| !of.is_empty()).unwrap_or(0);
        (left == 0 || longest == 0 || allow_single && longest == 1).then_some(Self(symbols))
    }

    pub fn symbol(&self, reader: &mut Reader<'_>) -> Option<usize> {
        let (mut code, mut first) = (0, 0);
        for symbols in &self.0[1..] {
            code = 2 * code + reader.get(1)?;
            first *= 2;
            if let Some(&symbol) = symbols.get(code - first) {
                return Some(symbol);
            }
            first += symbols.len();
        }
        None
    }
}

/// Inflates without a limit on the window.
#[derive(Default)]
pub struct Naive {
    pub out: Vec<u8>,
    pub distance: usize,
}

impl Naive {
    /// The content of one compressed message.
    pub fn message(&mut self, wire: &[u8]) -> Option<Vec<u8>> {
        let start = self.out.len();
        let mut reader = Reader { bytes: wire, at: 0 };
        let mut last = false;
        while !wire.is_empty() {
            if last {
                reader.align();
            }
            if reader.is_at_end() && (last || wire.ends_with(&TAIL)) {
                break;
            }
            last = reader.get(1)? == 1;
            let kind = reader.get(2)?;
            if kind == 0 {
                reader.align();
                if reader.is_at_end() {
                    break;
                }
            }
            self.block(&mut reader, kind)?;
        }
        Some(self.out[start..].to_vec())
    }

    pub fn block(&mut self, reader: &mut Reader<'_>, kind: usize) -> Option<()> {
        match kind {
            0 => {
                reader.align();
                let (len, not) = (reader.get(16)?, reader.get(16)?);
                (len ^ not == 0xffff).then_some(())?;
                for _ in 0..len {
                    self.out.push(reader.get(8)? as u8);
                }
                Some(())
            }
            1 => {
                let lengths: Vec<_> = (0..288)
                    .map(|symbol| match symbol {
                        144..=255 => 9,
                        256..=279 => 7,
                        _ => 8,
                    })
                    .collect();
                self.codes(reader, &Code::new(&lengths, false)?, &Code::new(&[5; 32], false)?)
            }
            2 => {
                let (literals, distances) = (reader.get(5)? + 257, reader.get(5)? + 1);
                (literals <= 286 && distances <= 30).then_some(())?;
                let mut lengths = [0; 19];
                let order = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
                for &i in &order[..reader.get(4)? + 4] {
                    lengths[i] = reader.get(3)?;
                }
                let code = Code::new(&lengths, false)?;
                let mut lengths = Vec::new();
                while lengths.len() < literals + distances {
                    let (len, count) = match code.symbol(reader)? {
                        16 => (*lengths.last()?, 3 + reader.get(2)?),
                        17 => (0, 3 + reader.get(3)?),
                        18 => (0, 11 + reader.get(7)?),
                        len => (len, 1),
                    };
                    lengths.resize(lengths.len() + count, len);
                }
                (lengths.len() == literals + distances && lengths[256] > 0).then_some(())?;
                let (literals, distances) = lengths.split_at(literals);
                self.codes(reader, &Code::new(literals, true)?, &Code::new(distances, true)?)
            }
            _ => None,
        }
    }

    pub fn codes(&mut self, reader: &mut Reader<'_>, literals: &Code, distances: &Code) -> Option<()> {
        loop {
            match literals.symbol(reader)? {
                byte @ 0..=255 => self.out.push(byte as u8),
                256 => return Some(()),
                symbol => {
                    let &(base, extra) = LENGTHS.get(symbol - 257)?;
                    let len = base + reader.get(extra)?;
                    let symbol = distances.symbol(reader).filter(|&symbol| symbol < 30)?;
                    let (base, extra) = distance(symbol);
                    let back = base + reader.get(extra)?;
                    let start = self.out.len().checked_sub(back)?;
                    self.distance = self.distance.max(back);
                    for i in start..start + len {
                        self.out.push(self.out[i]);
                    }
                }
            }
        }
    }
}

/// Inflates all blocks. Also returns the largest distance in them.
pub fn naive_stream(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut naive = Naive::default();
    let mut reader = Reader { bytes, at: 0 };
    while !reader.is_at_end() {
        let header = reader.get(3)?;
        naive.block(&mut reader, header >> 1)?;
    }
    Some((naive.out, naive.distance))
}
