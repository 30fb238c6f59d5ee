//! Every limit in one place. Each has an error that names it.

/// Largest encoded record batch, bytes.
pub const BATCH_BYTES_MAX: usize = 1 << 20;
/// Largest body of a commit group, bytes.
pub const GROUP_BYTES_MAX: usize = 8 << 20;
/// Most events in one append.
pub const APPEND_EVENTS_MAX: usize = 10_000;
/// Largest append, bytes of encoded records.
pub const APPEND_BYTES_MAX: usize = 7 << 20;
/// Most tags on one event.
pub const TAGS_MAX: usize = 32;
/// Longest tag, `name:value`, bytes.
pub const TAG_BYTES_MAX: usize = 256;
/// Longest event type, bytes.
pub const TYPE_BYTES_MAX: usize = 255;
/// Longest event id, bytes.
pub const ID_BYTES_MAX: usize = 255;
/// Largest sum of header names and values of one event, bytes.
pub const HEADERS_BYTES_MAX: usize = 64 << 10;
/// Longest record key, bytes.
pub const KEY_BYTES_MAX: usize = 64 << 10;
/// Largest record batch after decompression, bytes.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 << 20;
/// Deepest nesting of a JSON payload.
pub const JSON_DEPTH_MAX: usize = 128;
/// Longest topic name, bytes (Kafka's limit).
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Most topics in a database.
pub const TOPICS_MAX: usize = 10_000;
/// Largest sum of the definitions of all topics, entities and views, dropped topics included, as JSON, bytes: every segment
/// begins with them.
pub const DEFINITIONS_BYTES_MAX: usize = 6 << 20;
/// Most entities in a database.
pub const ENTITIES_MAX: usize = 1_000;
/// Most views in a database.
pub const VIEWS_MAX: usize = 1_000;
/// Longest statement that defines something, bytes.
pub const STATEMENT_BYTES_MAX: usize = 64 << 10;
/// Most words, numbers and signs in one expression of a definition: whatever walks an expression recurses.
pub const EXPRESSION_TOKENS_MAX: usize = 1_000;
/// Deepest nesting of an expression in a definition: a pair of parentheses is one level, an operator in it another.
pub const EXPRESSION_DEPTH_MAX: usize = 50;
/// Most partitions in a database.
pub const PARTITIONS_MAX: usize = 100_000;
/// Most records in one transaction.
pub const TRANSACTION_RECORDS_MAX: usize = 1_000_000;
/// Most bytes in one transaction.
pub const TRANSACTION_BYTES_MAX: usize = 1 << 30;
/// Longest time a transaction may stay open, ms.
pub const TRANSACTION_MS_MAX: u64 = 15 * 60 * 1000;
