//! Entities in the catalogue: defined, checked, kept through restarts and rolls.

use std::sync::atomic::{AtomicU32, Ordering};

use expect_test::expect;
use recount_env::block_on;
use recount_store::shown::executed_json;
use recount_store::{Catalogue, DdlError, ddl};
use recount_types::{EntityId, Position, TopicName};

use crate::support::Bench;

const ENTITY: &str = "CREATE OR REPLACE ENTITY e FROM a STATE (n INT) WHEN ANY THEN DELETE";

fn define(bench: &Bench, sql: &str) -> String {
    match block_on(bench.store.define(ddl::parse(sql).unwrap(), &|_| Ok(()))) {
        Ok(executed) => executed_json(&executed).to_string(),
        Err(error) => error.to_string(),
    }
}

/// Each entity: its current version, all its versions, and the events it skips.
fn entities(bench: &Bench) -> String {
    let catalogue = bench.store.catalogue();
    let shown = catalogue.entities().map(|entity| {
        let versions: Vec<u32> = entity.versions.keys().copied().collect();
        let text = &entity.versions[&entity.current].text;
        format!("{} {} of {versions:?} without {:?}: {text}\n", entity.name, entity.current, entity.skipped)
    });
    shown.collect()
}

fn name(text: &str) -> TopicName {
    TopicName::parse(text).unwrap()
}

#[test]
fn entities_outlive_restarts() {
    let bench = Bench::new();
    expect![[r#"{"entity":"e","position":3,"statement":"CREATE ENTITY","version":1}"#]]
        .assert_eq(&define(&bench, ENTITY));
    expect![[r#"{"entity":"e","position":4,"statement":"CREATE ENTITY","version":2}"#]]
        .assert_eq(&define(&bench, ENTITY));
    // The journal's last segment is read, with what came after its beginning.
    let before = entities(&bench);
    let bench = bench.reopen();
    assert_eq!(entities(&bench), before);
    let switched = block_on(bench.store.switch_entity(&name("e"), 2)).unwrap();
    expect![[r#"{"entity":"e","position":5,"statement":"SWITCH ENTITY","version":2}"#]]
        .assert_eq(&executed_json(&switched).to_string());
    expect![[r#"{"entity":"e","position":6,"statement":"ALTER ENTITY"}"#]]
        .assert_eq(&define(&bench, "ALTER ENTITY e SKIP EVENT 3"));
    expect![[r#"{"entity":"e","position":7,"statement":"DROP ENTITY","version":1}"#]]
        .assert_eq(&define(&bench, "DROP ENTITY e VERSION 1;"));
    define(&bench, &ENTITY.replace(" e ", " f "));
    expect![[r#"{"entity":"f","position":9,"statement":"DROP ENTITY"}"#]]
        .assert_eq(&define(&bench, "DROP ENTITY f"));
    expect![[r#"
        e 2 of [2] without [Position(3)]: CREATE OR REPLACE ENTITY e FROM a STATE (n INT) WHEN ANY THEN DELETE
    "#]]
    .assert_eq(&entities(&bench));
    let before = entities(&bench);
    let bench = bench.reopen().reopen();
    assert_eq!(entities(&bench), before);
    define(&bench, &ENTITY.replace(" e ", " f "));
    assert_eq!(bench.store.catalogue().entity(&name("f")).unwrap().id, EntityId(3));
    assert_eq!(bench.append("a/1").split('=').nth(1), Some("a/1@0"));
}

#[test]
fn a_check_refuses_and_sees_the_catalogue() {
    let bench = Bench::new();
    let statement = ddl::parse(ENTITY).unwrap();
    let seen = AtomicU32::new(0);
    let refuse = |catalogue: &Catalogue| {
        seen.fetch_add(catalogue.topics().count() as u32, Ordering::Relaxed);
        Err(DdlError::Invalid("no".to_owned()))
    };
    let refused = block_on(bench.store.define(statement, &refuse)).unwrap_err();
    assert_eq!((refused, seen.into_inner()), (DdlError::Invalid("no".to_owned()), 4));
    assert_eq!(entities(&bench), "");
    let refused = block_on(bench.store.execute(ENTITY)).unwrap_err();
    expect!["CREATE ENTITY needs what evaluates expressions, and this is the store alone"]
        .assert_eq(&refused.to_string());
    expect![[r#"{"position":3,"statement":"DROP TOPIC","topic":"b"}"#]]
        .assert_eq(&define(&bench, "DROP TOPIC b"));
}

#[test]
fn the_position_of_an_id() {
    let bench = Bench::new();
    bench.append("a/1 !x a/2 !y");
    let position_of = |topic: &str, id: &str| block_on(bench.store.position_of_id(&name(topic), id));
    assert_eq!(position_of("a", "y").unwrap(), Some(Position(4)));
    assert_eq!(position_of("a", "z").unwrap(), None);
    assert_eq!(position_of("b", "x").unwrap(), None);
    assert!(position_of("c", "x").is_err());
}
