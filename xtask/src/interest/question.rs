//! What is asked: as SQL, and as the script understands it.

use serde_json::{Value, json};

use super::bank::{Entity, Place};
use super::history::History;
use crate::dice::Dice;
use crate::written::utc;

/// A question about all accounts in one form of the entity.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) entity: Entity,
    pub(super) asked: Asked,
    known: Known,
}

/// Which balances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// After each step of the fold.
    Steps,
    /// The last ones.
    Balances,
    /// Those as of a moment.
    At(String),
}

/// From what.
#[derive(Debug, Clone)]
enum Known {
    All,
    /// What was recorded up to a position.
    Position(u64),
    /// What was recorded up to a time.
    Recorded(String),
}

impl Question {
    /// What is asked after each part of the load, of all forms. `places` are those of all that is recorded.
    pub(super) fn some(history: &History, places: &[Place], dice: &mut Dice) -> Vec<Question> {
        let mut questions = Vec::new();
        // Where the last append ends is not known.
        let mut positions: Vec<u64> =
            places.iter().filter(|place| place.last < u64::MAX).map(|place| place.position).collect();
        positions.extend(places.iter().filter(|place| place.last < u64::MAX).map(|place| place.last));
        positions.extend(places.first().map(|place| place.position - 1));
        for entity in Entity::ALL {
            let at = |dice: &mut Dice| Asked::At(utc(history.moment_us(dice)));
            let position = |dice: &mut Dice| Known::Position(*dice.pick(&positions));
            let recorded = |dice: &mut Dice| Known::Recorded(dice.pick(places).recorded.clone());
            let mut ask = |asked, known| questions.push(Question { entity, asked, known });
            ask(Asked::Steps, Known::All);
            ask(Asked::Steps, position(dice));
            ask(Asked::Steps, recorded(dice));
            ask(Asked::Balances, Known::All);
            ask(Asked::Balances, position(dice));
            ask(Asked::Balances, position(dice));
            ask(Asked::Balances, recorded(dice));
            ask(at(dice), Known::All);
            ask(at(dice), Known::All);
            ask(at(dice), Known::All);
            ask(at(dice), position(dice));
            ask(at(dice), recorded(dice));
        }
        questions
    }

    /// Whether the answer has every step, from all that is recorded.
    pub(super) fn is_whole(&self) -> bool {
        self.asked == Asked::Steps && matches!(self.known, Known::All)
    }

    pub(super) fn sql(&self) -> String {
        let valid = match &self.asked {
            Asked::Steps => " FOR VALID_TIME ALL".to_owned(),
            Asked::Balances => String::new(),
            Asked::At(at) => format!(" FOR VALID_TIME AS OF '{at}'"),
        };
        let known = match &self.known {
            Known::All => String::new(),
            Known::Position(position) => format!(" AS OF POSITION {position}"),
            Known::Recorded(at) => format!(" FOR SYSTEM_TIME AS OF '{at}'"),
        };
        let entity = self.entity.name;
        format!(
            "SELECT accountid, _position, balance FROM {entity}{valid}{known} ORDER BY accountid, _position"
        )
    }

    /// As the script reads it.
    pub(super) fn given(&self) -> Value {
        let valid = if let Asked::At(at) = &self.asked { Some(at) } else { None };
        let (position, recorded) = match &self.known {
            Known::All => (None, None),
            Known::Position(position) => (Some(position), None),
            Known::Recorded(at) => (None, Some(at)),
        };
        json!({
            "product": self.entity.product, "by_time": self.entity.by_time, "steps": self.asked == Asked::Steps,
            "position": position, "recorded": recorded, "valid": valid,
        })
    }
}
