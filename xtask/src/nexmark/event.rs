//! NEXMark's events, made from a seed: of 50 in a row one is a person, three are auctions and 46 are bids, with the fields, skew and sizes
//! of the published generator (<https://github.com/nexmark/nexmark>, as of 2025) and its usual 10,000 events a second of event time.
//!
//! One differs: a bidder is a person's id (there it is a thousand greater, which no query notices).

use std::io::Write;

use crate::dice::Dice;

/// Events of a cycle, and how they begin.
const CYCLE: u64 = 50;
const PERSONS: u64 = 1;
const AUCTIONS: u64 = 3;

/// First ids, and categories.
const FIRST_ID: u64 = 1000;
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: usize = 5;

/// Every so manieth person and auction is a hot one.
const HOT: u64 = 100;
/// Persons that bid and sell, and auctions that are bid for, at any time; and how many of the next are named before they are there.
const ACTIVE_PERSONS: u64 = 1000;
const ACTIVE_AUCTIONS: u64 = 100;
const AHEAD: u64 = 10;

const CHANNELS: usize = 10_000;
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];

const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] =
    ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const CITIES: [&str; 10] = [
    "Phoenix",
    "Los Angeles",
    "San Francisco",
    "Boise",
    "Portland",
    "Bend",
    "Redmond",
    "Seattle",
    "Kent",
    "Cheyenne",
];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

/// Average bytes of an event's values.
const PERSON_BYTES: usize = 200;
const AUCTION_BYTES: usize = 500;
const BID_BYTES: usize = 100;

/// The first event's time, milliseconds before 2026-01-02T00:00:00; a second later another day begins.
const BEFORE_MIDNIGHT_MS: u64 = 1000;
const EVENTS_A_MS: u64 = 10;

/// Events, one after the other.
#[derive(Debug)]
pub(crate) struct Events {
    dice: Dice,
    /// Random letters, of which values take a part.
    letters: Vec<u8>,
    /// Addresses of the hot channels, then of the others.
    addresses: Vec<String>,
    number: u64,
}

impl Events {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let letters = (0..1 << 18).map(|_| b'a' + dice.below(26) as u8).collect();
        let mut addresses = Vec::new();
        for number in 0..HOT_CHANNELS.len() + CHANNELS {
            let mut part = || words(&mut dice, 5, '_');
            let mut address =
                format!("https://www.nexmark.com/{}/{}/{}/item.htm?query=1", part(), part(), part());
            if number >= HOT_CHANNELS.len() && !dice.percent(10) {
                let id = ((number - HOT_CHANNELS.len()) as u32).reverse_bits() >> 1;
                address += &format!("&channel_id={id}");
            }
            addresses.push(address);
        }
        Self { dice, letters, addresses, number: 0 }
    }

    /// Adds the next event's line to `out`: an object with `event_type`, which is 0, 1 or 2, and a member `person`, `auction` or `bid`.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        match self.number % CYCLE {
            kind if kind < PERSONS => self.person(out)?,
            kind if kind < PERSONS + AUCTIONS => self.auction(out)?,
            _ => self.bid(out)?,
        }
        self.number += 1;
        out.write_all(b"\n")
    }

    fn person(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let (id, dice) = (FIRST_ID + self.persons() - 1, &mut self.dice);
        let name = format!("{} {}", dice.pick(&FIRST_NAMES), dice.pick(&LAST_NAMES));
        let email = format!("{}@{}.com", words(dice, 7, ' '), words(dice, 5, ' '));
        let card: Vec<String> = (0..4).map(|_| format!("{:04}", dice.below(10_000))).collect();
        let (card, city, state) = (card.join(" "), *dice.pick(&CITIES), *dice.pick(&STATES));
        let size = 8 + name.len() + email.len() + card.len() + city.len() + state.len();
        let (time, extra) = (time(self.now_ms()), self.extra(size, PERSON_BYTES));
        write!(
            out,
            r#"{{"event_type":0,"person":{{"id":{id},"name":"{name}","emailAddress":"{email}","creditCard":"{card}","city":"{city}","state":"{state}","dateTime":"{time}","extra":"{extra}"}}}}"#
        )
    }

    fn auction(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let id = FIRST_ID + self.auctions() - 1;
        let seller = FIRST_ID
            + match self.dice.percent(75) {
                true => (self.persons() - 1) / HOT * HOT,
                false => self.any_person(),
            };
        let category = FIRST_CATEGORY + self.dice.below(CATEGORIES) as u64;
        let (initial, more) = (self.price(), self.price());
        let (name, description) = (words(&mut self.dice, 20, ' '), words(&mut self.dice, 100, ' '));
        // On average it ends when so many others have begun.
        let average_ms = ACTIVE_AUCTIONS * CYCLE / AUCTIONS / EVENTS_A_MS;
        let (begins, lasts) = (self.now_ms(), 1 + self.dice.below(2 * average_ms as usize) as u64);
        let (time, expires) = (time(begins), time(begins + lasts));
        let extra = self.extra(48 + name.len() + description.len(), AUCTION_BYTES);
        let reserve = initial + more;
        write!(
            out,
            r#"{{"event_type":1,"auction":{{"id":{id},"itemName":"{name}","description":"{description}","initialBid":{initial},"reserve":{reserve},"dateTime":"{time}","expires":"{expires}","seller":{seller},"category":{category},"extra":"{extra}"}}}}"#
        )
    }

    fn bid(&mut self, out: &mut Vec<u8>) -> std::io::Result<()> {
        let last = self.auctions() - 1;
        let auction = FIRST_ID
            + match self.dice.percent(50) {
                true => last / HOT * HOT,
                false => {
                    let first = last.saturating_sub(ACTIVE_AUCTIONS);
                    first + self.dice.below((last - first + 1 + AHEAD) as usize) as u64
                }
            };
        let bidder = FIRST_ID
            + match self.dice.percent(75) {
                true => (self.persons() - 1) / HOT * HOT + 1,
                false => self.any_person(),
            };
        let price = self.price();
        let channel = match self.dice.percent(50) {
            true => self.dice.below(HOT_CHANNELS.len()),
            false => HOT_CHANNELS.len() + self.dice.below(CHANNELS),
        };
        let (time, extra) = (time(self.now_ms()), self.extra(32, BID_BYTES));
        write!(
            out,
            r#"{{"event_type":2,"bid":{{"auction":{auction},"bidder":{bidder},"price":{price},"channel":"#
        )?;
        match HOT_CHANNELS.get(channel) {
            Some(name) => write!(out, r#""{name}""#)?,
            None => write!(out, r#""channel-{}""#, channel - HOT_CHANNELS.len())?,
        }
        let url = &self.addresses[channel];
        write!(out, r#","url":"{url}","dateTime":"{time}","extra":"{extra}"}}}}"#)
    }

    /// Persons until now, the one that is being made too.
    fn persons(&self) -> u64 {
        self.number / CYCLE * PERSONS + (self.number % CYCLE + 1).min(PERSONS)
    }

    /// Auctions until now, the one that is being made too.
    fn auctions(&self) -> u64 {
        self.number / CYCLE * AUCTIONS + (self.number % CYCLE + 1).saturating_sub(PERSONS).min(AUCTIONS)
    }

    /// One of those that are active, or one of the next.
    fn any_person(&mut self) -> u64 {
        let persons = self.persons();
        let active = persons.min(ACTIVE_PERSONS);
        persons - active + self.dice.below((active + AHEAD) as usize) as u64
    }

    /// Cents: 1 to a million, each order of magnitude as likely.
    fn price(&mut self) -> u64 {
        (10f64.powf(self.dice.share() * 6.0) * 100.0).round() as u64
    }

    fn now_ms(&self) -> u64 {
        self.number / EVENTS_A_MS
    }

    /// Letters that make an event of `size` bytes one of `average` bytes, a fifth more or less.
    fn extra(&mut self, size: usize, average: usize) -> String {
        let missing = average.saturating_sub(size);
        let spread = missing / 5;
        let length = missing - spread + self.dice.below(2 * spread + 1);
        let from = self.dice.below(self.letters.len() - length);
        String::from_utf8_lossy(&self.letters[from..from + length]).into_owned()
    }
}

/// Three to `max` letters, among them `gap` once in a while.
fn words(dice: &mut Dice, max: usize, gap: char) -> String {
    let length = 3 + dice.below(max - 3);
    let mut letter = || match dice.below(13) {
        0 => gap,
        _ => (b'a' + dice.below(26) as u8) as char,
    };
    let text: String = (0..length).map(|_| letter()).collect();
    text.trim().to_owned()
}

/// A time as both sides read it; the first event's is 0.
fn time(ms: u64) -> String {
    let (day, ms) = match ms.checked_sub(BEFORE_MIDNIGHT_MS) {
        None => (1, ms + 86_400_000 - BEFORE_MIDNIGHT_MS),
        Some(ms) => (2 + ms / 86_400_000, ms % 86_400_000),
    };
    let (seconds, ms) = (ms / 1000, ms % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("2026-01-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{ms:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(seed: u64, count: usize) -> Vec<String> {
        let (mut events, mut out) = (Events::new(seed), Vec::new());
        for _ in 0..count {
            events.next(&mut out).unwrap();
        }
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_seed_makes_the_same_events_and_of_fifty_one_three_and_forty_six() {
        let made = lines(7, 20_000);
        assert_eq!(made, lines(7, 20_000));
        assert_ne!(made, lines(8, 20_000));
        for (number, line) in made.iter().enumerate() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let kind = event["event_type"].as_u64().unwrap();
            assert_eq!(kind, [0, 1, 1, 1].get(number % 50).copied().unwrap_or(2), "{line}");
            assert!(event[["person", "auction", "bid"][kind as usize]].is_object(), "{line}");
        }
        assert!(made[0].contains(r#""id":1000,"#) && made[51].contains(r#""id":1003,"#), "{}", made[51]);
        assert!(
            made[9_999].contains("2026-01-01T23:59:59.999")
                && made[10_000].contains("2026-01-02T00:00:00.000")
        );
    }
}
