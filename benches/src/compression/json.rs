//! Messages as a market data server sends them: JSON, the same in every run, with different messages.

use std::fmt::Write;

use crate::wire::Random;

const SYMBOLS: [&str; 12] = [
    "AAVE-EUR", "ADA-EUR", "BTC-EUR", "BTC-USD", "DOT-USD", "ETH-BTC", "ETH-EUR", "ETH-USD", "LINK-USD",
    "LTC-EUR", "SOL-USD", "XRP-EUR",
];

/// The stream of messages of one connection.
pub struct Market {
    random: Random,
    sequence: u64,
    /// In microseconds.
    time: u64,
    /// In hundredths.
    prices: [u64; SYMBOLS.len()],
}

impl Market {
    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let prices = SYMBOLS.map(|_| 1_000 + random.draw() % 9_000_000);
        Self {
            sequence: 1_000_000 + random.draw() % 1_000_000_000,
            time: random.draw() % 60_000_000,
            random,
            prices,
        }
    }

    /// Changes of one order book, as many as fit into `size` bytes.
    pub fn message(&mut self, size: usize) -> Vec<u8> {
        let market = self.below(SYMBOLS.len() as u64) as usize;
        let symbol = SYMBOLS[market];
        self.time += self.below(40_000);
        let mut text = format!(
            r#"{{"channel":"book","symbol":"{symbol}","time":"{}","changes":["#,
            self.clock()
        );
        loop {
            let change = self.change(market);
            if text.len() + change.len() + 3 > size {
                break;
            }
            text += &change;
            text.push(',');
        }
        text.pop();
        text += "]}";
        text.into()
    }

    fn change(&mut self, market: usize) -> String {
        self.sequence += 1 + self.below(3);
        self.time += self.below(900);
        let price = (self.prices[market] + self.below(41)).saturating_sub(20).max(100);
        self.prices[market] = price;
        let side = ["buy", "sell"][self.below(2) as usize];
        // Some accounts trade more than others.
        let account = Random(self.below(200).min(self.below(200))).draw();
        let mut change = format!(
            r#"{{"sequence":{},"account":"{account:016x}","side":"{side}","price":"{}.{:02}","#,
            self.sequence,
            price / 100,
            price % 100
        );
        // Writing to a String cannot fail.
        let _ = match self.below(4) {
            0 => write!(change, r#""size":"0","reason":"canceled"}}"#),
            1 => write!(
                change,
                r#""size":"0","reason":"filled","trade":{{"id":"{:016x}","time":"{}"}}}}"#,
                self.random.draw(),
                self.clock()
            ),
            _ => write!(
                change,
                r#""size":"{}.{:04}","orders":{}}}"#,
                self.below(30),
                self.below(10_000),
                1 + self.below(9)
            ),
        };
        change
    }

    fn clock(&self) -> String {
        let seconds = self.time / 1_000_000;
        format!(
            "2026-03-14T{:02}:{:02}:{:02}.{:06}Z",
            9 + seconds / 3600 % 8,
            seconds / 60 % 60,
            seconds % 60,
            self.time % 1_000_000
        )
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.draw() % limit
    }
}
