//! Statements.
use crate::schema::TopicDefinition;
use recount_types::TopicName;

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    /// CREATE TOPIC.
    CreateTopic(TopicDefinition),
    /// ALTER TOPIC.
    AlterTopic(AlterTopic),
    /// DROP TOPIC.
    DropTopic(TopicName),
}

/// ALTER TOPIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTopic {
    /// Which.
    pub name: TopicName,
}

impl Statement {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Statement::CreateTopic(_) => "CREATE TOPIC",
            Statement::AlterTopic(_) => "ALTER TOPIC",
            Statement::DropTopic(_) => "DROP TOPIC",
        }
    }
}

/// Parses.
pub fn parse(sql: &str) -> Result<Statement, String> {
    let words: Vec<&str> = sql.split_whitespace().collect();
    match words[..] {
        ["CREATE", "TOPIC", name] => Ok(Statement::CreateTopic(TopicDefinition::untyped(
            TopicName::parse(name).map_err(|e| e.to_string())?,
        ))),
        ["CREATE", "TOPIC", name, "PARTITIONS", n] => {
            let mut d = TopicDefinition::untyped(TopicName::parse(name).map_err(|e| e.to_string())?);
            d.partitions = n.parse().map_err(|_| "partitions")?;
            Ok(Statement::CreateTopic(d))
        }
        ["DROP", "TOPIC", name] => {
            Ok(Statement::DropTopic(TopicName::parse(name).map_err(|e| e.to_string())?))
        }
        _ => Err("unknown statement".to_owned()),
    }
}
