//! What statements about entities change, what is said of those that cannot, and the saved form.

use expect_test::{Expect, expect};

use super::*;
use crate::ddl::parse;

/// A catalogue and the position of its last change. Topics `t` (16) and `rates` (17).
struct Bench {
    catalogue: Catalogue,
    position: u64,
}

impl Bench {
    fn new() -> Bench {
        let mut bench = Bench { catalogue: Catalogue::new(), position: 0 };
        bench.run("CREATE TOPIC t");
        bench.run("CREATE TOPIC rates");
        bench
    }

    /// Runs a statement: its change, or why there is none. `SWITCH name version` is the system's.
    fn run(&mut self, sql: &str) -> String {
        let planned = match sql.strip_prefix("SWITCH ").and_then(|words| words.split_once(' ')) {
            Some((name, version)) => {
                self.catalogue.plan_switch(&TopicName::parse(name).unwrap(), version.parse().unwrap())
            }
            None => {
                let mut statement = parse(sql).unwrap();
                if let crate::ddl::Statement::CreateView(create) = &mut statement {
                    // The topics behind FROM are what whoever plans queries would find.
                    let from = create.query.rsplit_once("FROM ").unwrap().1;
                    let read = |name: &str| crate::ddl::ViewRead {
                        topic: TopicName::parse(name).unwrap(),
                        columns: vec!["n".to_owned()],
                    };
                    let is_view = |name: &&str| {
                        TopicName::parse(name).is_ok_and(|name| self.catalogue.view(&name).is_some())
                    };
                    let (views, others): (Vec<&str>, Vec<&str>) = from.split(", ").partition(is_view);
                    let is_entity = |name: &&str| {
                        let name = name.split(" FOR VERSION ").next().unwrap();
                        self.catalogue.entity(&TopicName::parse(name).unwrap()).is_some()
                    };
                    let (entities, topics): (Vec<&str>, Vec<&str>) = others.into_iter().partition(is_entity);
                    let entity = |of: &str| {
                        let (name, version) = of
                            .split_once(" FOR VERSION ")
                            .map_or((of, None), |(name, version)| (name, Some(version.parse().unwrap())));
                        let entity = TopicName::parse(name).unwrap();
                        crate::ddl::ViewEntity { entity, version, columns: vec!["b".to_owned()] }
                    };
                    create.entities = entities.into_iter().map(entity).collect();
                    create.views = views.into_iter().map(|name| TopicName::parse(name).unwrap()).collect();
                    create.reads = topics.into_iter().map(read).collect();
                }
                self.catalogue.plan(statement)
            }
        };
        let planned = match planned {
            Ok(planned) => planned,
            Err(error) => return format!("{:?}: {error}", error.kind()),
        };
        let json = serde_json::to_string(&planned.change).unwrap();
        // As it is read again from the journal.
        let change: Change = serde_json::from_str(&json).unwrap();
        self.position += 1;
        self.catalogue = self.catalogue.after(&change, Position(self.position)).unwrap();
        let saved = self.catalogue.save();
        let loaded = Catalogue::load(&saved).unwrap();
        assert_eq!(String::from_utf8(loaded.save()), String::from_utf8(saved));
        assert_eq!(shown(&loaded), shown(&self.catalogue));
        let bytes = |catalogue: &Catalogue| catalogue.definitions_bytes + catalogue.others_bytes();
        assert_eq!(bytes(&loaded), bytes(&self.catalogue));
        json
    }

    fn check(&mut self, sql: &str, expected: Expect) {
        expected.assert_eq(&self.run(sql));
    }

    fn is(&self, expected: Expect) {
        expected.assert_eq(&shown(&self.catalogue));
    }
}

/// The live entities, one a line; versions as topic+lookups@created, the current one in brackets.
fn shown(catalogue: &Catalogue) -> String {
    let version = |entity: &EntityState, number: u32| {
        let version = &entity.versions[&number];
        let lookups: String = version.lookups.iter().map(|topic| format!("+{topic}")).collect();
        let switched = version.switched.map_or(String::new(), |position| format!("/{position}"));
        let shown = format!("{number}={}{lookups}@{}{switched}", version.topic, version.created);
        if number == entity.current { format!("[{shown}]") } else { shown }
    };
    let entity = |entity: &Arc<EntityState>| {
        assert!(!entity.dropped && catalogue.entity_by_id(entity.id).is_some());
        let versions: Vec<String> = entity.versions.keys().map(|&number| version(entity, number)).collect();
        let skipped: String = entity.skipped.iter().map(|position| format!(" -{position}")).collect();
        format!("{} {}@{} {}{skipped}\n", entity.id, entity.name, entity.created, versions.join(" "))
    };
    let view = |view: &Arc<ViewState>| {
        let reads: Vec<String> = view.reads.iter().map(|read| read.topic().to_string()).collect();
        format!("{} view {}@{} of {}\n", view.id, view.name, view.created, reads.join(" "))
    };
    let entities = catalogue.entities().map(entity);
    entities.chain(catalogue.views().map(view)).collect()
}

fn entity(name: &str) -> String {
    format!("ENTITY {name} FROM t STATE (n INT) WHEN ANY THEN DELETE")
}

#[test]
fn entities_are_made_replaced_and_dropped() {
    let mut bench = Bench::new();
    bench.check(&format!("CREATE {};", entity("e")), expect![[r#"{"change":"create_entity","id":1,"version":1,"name":"e","topic":16,"lookups":[],"text":"CREATE ENTITY e FROM t STATE (n INT) WHEN ANY THEN DELETE"}"#]]);
    let lookups =
        "LOOKUP rates AS r ON r.a AS OF b LOOKUP t AS s ON s.a AS OF b LOOKUP rates AS q ON q.a AS OF b";
    bench.check(
        &format!("CREATE OR REPLACE ENTITY e FROM t {lookups} STATE (n INT) WHEN ANY THEN SET n = 'x'"),
        expect![[r#"{"change":"replace_entity","id":1,"version":2,"topic":16,"lookups":[17,16],"text":"CREATE OR REPLACE ENTITY e FROM t LOOKUP rates AS r ON r.a AS OF b LOOKUP t AS s ON s.a AS OF b LOOKUP rates AS q ON q.a AS OF b STATE (n INT) WHEN ANY THEN SET n = 'x'"}"#]],
    );
    bench.check(&format!("CREATE OR REPLACE {}", entity("f")), expect![[r#"{"change":"create_entity","id":2,"version":1,"name":"f","topic":16,"lookups":[],"text":"CREATE OR REPLACE ENTITY f FROM t STATE (n INT) WHEN ANY THEN DELETE"}"#]]);
    bench.is(expect![[r#"
        1 e@3 [1=16@3/3] 2=16+17+16@4
        2 f@5 [1=16@5/5]
    "#]]);
    bench.check("SWITCH e 2", expect![[r#"{"change":"switch_entity","id":1,"version":2}"#]]);
    bench.check("ALTER ENTITY e SKIP EVENT 9", expect![[r#"{"change":"skip_event","id":1,"position":9}"#]]);
    bench.run("ALTER ENTITY e SKIP EVENT 7");
    bench.is(expect![[r#"
        1 e@3 1=16@3/3 [2=16+17+16@4/6] -7 -9
        2 f@5 [1=16@5/5]
    "#]]);
    bench.check(
        "DROP ENTITY e VERSION 1",
        expect![[r#"{"change":"drop_entity_version","id":1,"version":1}"#]],
    );
    bench.run(&format!("CREATE OR REPLACE {}", entity("e")));
    bench.run("DROP ENTITY e VERSION 3");
    bench.run(&format!("CREATE OR REPLACE {}", entity("e")));
    bench.run(&format!("CREATE OR REPLACE {}", entity("e")));
    bench.run("SWITCH e 5");
    bench.is(expect![[r#"
        1 e@3 2=16+17+16@4/6 4=16@12 [5=16@13/14] -7 -9
        2 f@5 [1=16@5/5]
    "#]]);
    bench.check("DROP ENTITY f", expect![[r#"{"change":"drop_entity","id":2}"#]]);
    bench.run(&format!("CREATE {}", entity("f")));
    bench.is(expect![[r#"
        1 e@3 2=16+17+16@4/6 4=16@12 [5=16@13/14] -7 -9
        3 f@16 [1=16@16/16]
    "#]]);
    bench.run("DROP ENTITY e");
    bench.run("DROP ENTITY f");
    bench.is(expect![""]);
    assert!(bench.catalogue.entity_by_id(EntityId(3)).unwrap().dropped);
    bench.run(&format!("CREATE {}", entity("e")));
    bench.is(expect![[r#"
        4 e@19 [1=16@19/19]
    "#]]);
    bench.run("DROP ENTITY e");
    bench.check("DROP TOPIC t", expect![[r#"{"change":"drop_topic","id":16}"#]]);
}

#[test]
fn what_cannot_be_done_to_entities() {
    let mut bench = Bench::new();
    bench.run(&format!("CREATE {}", entity("e")));
    bench.check(
        &format!("CREATE {}", entity("e")),
        expect![
            "Conflict: entity e exists already: write CREATE OR REPLACE ENTITY to give it another definition"
        ],
    );
    bench.check(
        &format!("CREATE {}", entity("t")),
        expect![
            "Conflict: t is the name of a topic: topics, entities and views share their names, choose another one"
        ],
    );
    bench.check(&format!("CREATE OR REPLACE {}", entity("rates")), expect!["Conflict: rates is the name of a topic: topics, entities and views share their names, choose another one"]);
    bench.check(
        "CREATE TOPIC e",
        expect![
            "Conflict: e is the name of an entity: topics, entities and views share their names, choose another one"
        ],
    );
    bench.check("DROP TOPIC e", expect!["Invalid: e is an entity, not a topic"]);
    bench.check("DROP ENTITY t", expect!["Invalid: t is a topic, not an entity"]);
    bench.check("DROP ENTITY x", expect!["NotFound: there is no entity x"]);
    bench.check("ALTER ENTITY x SKIP EVENT 1", expect!["NotFound: there is no entity x"]);
    let from = |topic: &str| format!("CREATE ENTITY f FROM {topic} STATE (n INT) WHEN ANY THEN DELETE");
    bench.check(&from("x"), expect!["NotFound: there is no topic x"]);
    bench.check(&from("\"a b\""), expect!["NotFound: there is no topic a b"]);
    bench.check(&from("_catalog"), expect!["Invalid: topic _catalog belongs to the system"]);
    bench.check(&from("e"), expect!["Invalid: e is an entity, and an entity folds topics only"]);
    bench.check(&from("t LOOKUP x AS r ON r.a AS OF b"), expect!["NotFound: there is no topic x"]);
    bench.check(
        &from("t LOOKUP e AS r ON r.a AS OF b"),
        expect!["Invalid: e is an entity, and an entity looks up topics only"],
    );
    bench.check(
        &from("t LOOKUP _imports AS r ON r.a AS OF b"),
        expect!["Invalid: topic _imports belongs to the system"],
    );
    bench.check(
        "DROP TOPIC t",
        expect!["Conflict: topic t cannot be dropped: version 1 of entity e reads it. Drop that first"],
    );
    bench.run(&from("t LOOKUP rates AS r ON r.a AS OF b"));
    bench.check(
        "DROP TOPIC rates",
        expect!["Conflict: topic rates cannot be dropped: version 1 of entity f reads it. Drop that first"],
    );
    bench.run(&format!("CREATE OR REPLACE {}", entity("f")));
    bench.run("SWITCH f 2");
    bench.check(
        "DROP TOPIC rates",
        expect!["Conflict: topic rates cannot be dropped: version 1 of entity f reads it. Drop that first"],
    );
    bench.run("DROP ENTITY f VERSION 1");
    bench.check("DROP TOPIC rates", expect![[r#"{"change":"drop_topic","id":17}"#]]);
    bench.check("DROP ENTITY f VERSION 2", expect!["Invalid: version 2 of entity f is the current one: drop the entity, or create a replacement first"]);
    bench.check("DROP ENTITY f VERSION 1", expect!["Invalid: entity f has no version 1: there are 2"]);
    bench.check("SWITCH f 2", expect!["Invalid: version 2 of entity f cannot become current: version 2 is"]);
    bench.check("SWITCH f 3", expect!["Invalid: entity f has no version 3: there are 2"]);
    bench.check("SWITCH x 1", expect!["NotFound: there is no entity x"]);
    bench.run("ALTER ENTITY f SKIP EVENT 5");
    bench.check(
        "ALTER ENTITY f SKIP EVENT 5",
        expect!["Invalid: entity f skips the event at position 5 already"],
    );
    bench.check("ALTER ENTITY f SKIP EVENT 'a'", expect!["Invalid: the position of the event with the id 'a' was not looked up: name the event by its position"]);
}

#[test]
fn entities_have_limits() {
    let mut bench = Bench::new();
    let planned = |catalogue: &Catalogue, sql: &str| catalogue.plan(parse(sql).unwrap());
    for at in 0..1000 {
        let change =
            planned(&bench.catalogue, &format!("CREATE {}", entity(&format!("e{at}")))).unwrap().change;
        bench.catalogue = bench.catalogue.after(&change, Position(at + 3)).unwrap();
    }
    bench.check(
        &format!("CREATE {}", entity("e")),
        expect!["Invalid: there are 1000 entities, which is the limit"],
    );
    assert!(planned(&bench.catalogue, &format!("CREATE OR REPLACE {}", entity("e0"))).is_ok());
    // The text counts, of each version, until it is dropped.
    let long = format!(
        "CREATE OR REPLACE {} AND (n = '{}') THEN DELETE",
        entity("e0").replace(" THEN DELETE", ""),
        "x".repeat(60 << 10)
    );
    let refused = (0..200).find_map(|_| match planned(&bench.catalogue, &long) {
        Ok(planned) => {
            bench.catalogue = bench.catalogue.after(&planned.change, Position(2000)).unwrap();
            None
        }
        Err(error) => Some(error.to_string()),
    });
    expect!["the definitions of all topics, entities and views, dropped topics included, would have 6348438 bytes, the limit is 6291456"].assert_eq(&refused.unwrap());
    assert!(bench.catalogue.save().len() < DEFINITIONS_BYTES_MAX);
    bench.run("DROP ENTITY e0 VERSION 2");
    assert!(planned(&bench.catalogue, &long).is_ok());
}

/// The saved form is part of the format: these bytes are read for ever.
#[test]
fn golden_catalogues() {
    let mut bench = Bench::new();
    expect![[r#"[{"id":16,"schema":1,"created":1,"dropped":false,"definition":{"name":"t"}},{"id":17,"schema":1,"created":2,"dropped":false,"definition":{"name":"rates"}}]"#]].assert_eq(&String::from_utf8(bench.catalogue.save()).unwrap());
    bench.run(&format!("CREATE {}", entity("e")));
    bench.run("CREATE OR REPLACE ENTITY e FROM t LOOKUP rates AS r ON r.a AS OF b STATE (n TEXT) WHEN ANY THEN SET n = '\"'");
    bench.run("ALTER ENTITY e SKIP EVENT 3");
    bench.run(&format!("CREATE {}", entity("f")));
    bench.run("DROP ENTITY f");
    expect![[r#"{"topics":[{"id":16,"schema":1,"created":1,"dropped":false,"definition":{"name":"t"}},{"id":17,"schema":1,"created":2,"dropped":false,"definition":{"name":"rates"}}],"entities":[{"id":1,"name":"e","created":3,"dropped":false,"current":1,"last":2,"skipped":[3],"versions":[{"version":1,"topic":16,"lookups":[],"created":3,"switched":3,"text":"CREATE ENTITY e FROM t STATE (n INT) WHEN ANY THEN DELETE"},{"version":2,"topic":16,"lookups":[17],"created":4,"switched":null,"text":"CREATE OR REPLACE ENTITY e FROM t LOOKUP rates AS r ON r.a AS OF b STATE (n TEXT) WHEN ANY THEN SET n = '\"'"}]},{"id":2,"name":"f","created":6,"dropped":true,"current":1,"last":1,"skipped":[],"versions":[]}],"next_entity":3}"#]].assert_eq(&String::from_utf8(bench.catalogue.save()).unwrap());
}

#[test]
fn catalogues_that_are_refused() {
    let entity = |members: &str| format!(r#"{{"topics":[],"entities":[{members}],"next_entity":3}}"#);
    let one = r#"{"id":1,"name":"e","created":1,"dropped":false,"current":1,"last":1,"skipped":[],"versions":[{"version":1,"topic":16,"lookups":[],"created":1,"switched":1,"text":"x"}]}"#;
    let two = &one.replace("\"id\":1", "\"id\":2");
    assert!(Catalogue::load(entity(one).as_bytes()).is_ok());
    for (members, expected) in [
        (format!("{one},{two}"), expect!["entity 2 has not the versions that it must have"]),
        (format!("{two},{one}"), expect!["entity id 1 is out of order"]),
        (one.replace("\"id\":1", "\"id\":3"), expect!["entity id 3 is out of order"]),
        (
            one.replace("\"current\":1", "\"current\":2"),
            expect!["entity 1 has not the versions that it must have"],
        ),
        (one.replace("\"last\":1", "\"last\":0"), expect!["entity 1 has not the versions that it must have"]),
        (
            one.replace("\"dropped\":false", "\"dropped\":true"),
            expect!["entity 1 has not the versions that it must have"],
        ),
        (
            one.replace("\"skipped\"", "\"other\""),
            expect![
                "unknown field `other`, expected one of `id`, `name`, `created`, `dropped`, `current`, `last`, `skipped`, `versions` at line 1 column 100"
            ],
        ),
    ] {
        expected.assert_eq(&Catalogue::load(entity(&members).as_bytes()).unwrap_err());
    }
    let mut bench = Bench::new();
    bench.run(&format!("CREATE {}", self::entity("e")));
    for (change, expected) in [
        (
            r#"{"change":"create_entity","id":1,"version":1,"name":"g","topic":16,"lookups":[],"text":""}"#,
            expect!["entity id 1 was used before"],
        ),
        (
            r#"{"change":"create_entity","id":2,"version":1,"name":"e","topic":16,"lookups":[],"text":""}"#,
            expect!["entity e exists already"],
        ),
        (
            r#"{"change":"replace_entity","id":1,"version":1,"topic":16,"lookups":[],"text":""}"#,
            expect!["version 1 of entity 1 was used before"],
        ),
        (
            r#"{"change":"replace_entity","id":2,"version":2,"topic":16,"lookups":[],"text":""}"#,
            expect!["there is no entity 2"],
        ),
        (
            r#"{"change":"switch_entity","id":1,"version":2}"#,
            expect!["entity 1 has no version 2 of which this is true"],
        ),
        (r#"{"change":"skip_event","id":2,"position":2}"#, expect!["there is no entity 2"]),
        (r#"{"change":"drop_entity","id":2}"#, expect!["there is no entity 2"]),
        (
            r#"{"change":"drop_entity_version","id":1,"version":1}"#,
            expect!["entity 1 has no version 1 of which this is true"],
        ),
        (
            r#"{"change":"drop_entity_version","id":1,"version":2}"#,
            expect!["entity 1 has no version 2 of which this is true"],
        ),
    ] {
        let change: Change = serde_json::from_str(change).unwrap();
        expected.assert_eq(&bench.catalogue.after(&change, Position(9)).unwrap_err());
    }
}

#[test]
fn views_are_made_and_dropped() {
    let mut bench = Bench::new();
    for sql in [
        "CREATE MATERIALIZED VIEW v AS SELECT * FROM t, rates;",
        "CREATE MATERIALIZED VIEW w (a) AS SELECT n FROM t",
    ] {
        assert!(!bench.run(sql).contains("Invalid"));
    }
    bench.is(expect![[r#"
        1 view v@3 of 16 17
        2 view w@4 of 16
    "#]]);
    let refused = [
        "CREATE MATERIALIZED VIEW v AS SELECT n FROM t",
        "CREATE MATERIALIZED VIEW t AS SELECT n FROM t",
        "CREATE MATERIALIZED VIEW x AS SELECT n FROM nothing",
        "CREATE TOPIC v",
        "CREATE ENTITY v FROM t STATE (n INT) WHEN ANY THEN DELETE",
        "CREATE ENTITY x FROM v STATE (n INT) WHEN ANY THEN DELETE",
        "DROP TOPIC rates",
        "DROP TOPIC v",
        "DROP ENTITY v",
        "DROP MATERIALIZED VIEW t",
        "DROP MATERIALIZED VIEW x",
    ];
    let said: Vec<String> = refused.iter().map(|sql| format!("> {sql}\n{}\n", bench.run(sql))).collect();
    expect![[r#"
        > CREATE MATERIALIZED VIEW v AS SELECT n FROM t
        Conflict: view v exists already: drop it first
        > CREATE MATERIALIZED VIEW t AS SELECT n FROM t
        Conflict: t is the name of a topic: topics, entities and views share their names, choose another one
        > CREATE MATERIALIZED VIEW x AS SELECT n FROM nothing
        NotFound: there is no topic nothing
        > CREATE TOPIC v
        Conflict: v is the name of a view: topics, entities and views share their names, choose another one
        > CREATE ENTITY v FROM t STATE (n INT) WHEN ANY THEN DELETE
        Conflict: v is the name of a view: topics, entities and views share their names, choose another one
        > CREATE ENTITY x FROM v STATE (n INT) WHEN ANY THEN DELETE
        Invalid: v is a view, and an entity folds topics only
        > DROP TOPIC rates
        Conflict: topic rates cannot be dropped: view v reads it. Drop that first
        > DROP TOPIC v
        Invalid: v is a view, not a topic
        > DROP ENTITY v
        Invalid: v is a view, not an entity
        > DROP MATERIALIZED VIEW t
        Invalid: t is a topic, not a view
        > DROP MATERIALIZED VIEW x
        NotFound: there is no view x
    "#]]
    .assert_eq(&said.concat());
    bench.check("CREATE MATERIALIZED VIEW x AS SELECT n FROM t, v", expect![[r#"{"change":"create_view","id":3,"name":"x","reads":[{"topic":16,"columns":["n"]}],"views":[1],"text":"CREATE MATERIALIZED VIEW x AS SELECT n FROM t, v"}"#]]);
    bench.check(
        "DROP MATERIALIZED VIEW v",
        expect!["Conflict: view v cannot be dropped: view x reads it. Drop that first"],
    );
    bench.run("DROP MATERIALIZED VIEW x");
    bench.check("DROP MATERIALIZED VIEW v", expect![[r#"{"change":"drop_view","id":1}"#]]);
    bench.check("DROP TOPIC rates", expect![[r#"{"change":"drop_topic","id":17}"#]]);
    bench.check("CREATE MATERIALIZED VIEW v AS SELECT n FROM t", expect![[r#"{"change":"create_view","id":4,"name":"v","reads":[{"topic":16,"columns":["n"]}],"text":"CREATE MATERIALIZED VIEW v AS SELECT n FROM t"}"#]]);
    bench.is(expect![[r#"
        4 view v@9 of 16
        2 view w@4 of 16
    "#]]);
    bench.run("DROP MATERIALIZED VIEW v");
    bench.run("DROP MATERIALIZED VIEW w");
    // Ids are not used again, even when no view is left.
    bench.check("CREATE MATERIALIZED VIEW v AS SELECT n FROM t", expect![[r#"{"change":"create_view","id":5,"name":"v","reads":[{"topic":16,"columns":["n"]}],"text":"CREATE MATERIALIZED VIEW v AS SELECT n FROM t"}"#]]);
    expect![[r#"{"topics":[{"id":16,"schema":1,"created":1,"dropped":false,"definition":{"name":"t"}},{"id":17,"schema":1,"created":2,"dropped":true,"definition":{"name":"rates"}}],"entities":[],"next_entity":1,"views":{"views":[{"id":5,"name":"v","created":12,"reads":[{"topic":16,"columns":["n"]}],"text":"CREATE MATERIALIZED VIEW v AS SELECT n FROM t"}],"next_view":6}}"#]].assert_eq(&String::from_utf8(bench.catalogue.save()).unwrap());
}

#[test]
fn views_read_entities() {
    let mut bench = Bench::new();
    for sql in [
        "CREATE ENTITY e FROM t STATE (n INT) WHEN ANY THEN DELETE",
        "CREATE OR REPLACE ENTITY e FROM t STATE (b INT) WHEN ANY THEN DELETE",
        "CREATE OR REPLACE ENTITY e FROM t STATE (b INT, c INT) WHEN ANY THEN DELETE",
        "SWITCH e 3",
    ] {
        bench.run(sql);
    }
    bench.check(
        "CREATE MATERIALIZED VIEW v AS SELECT n FROM t, e, e FOR VERSION 2",
        expect![[r#"{"change":"create_view","id":1,"name":"v","reads":[{"topic":16,"columns":["n"]}],"entities":[{"entity":1,"columns":["b"]},{"entity":1,"version":2,"columns":["b"]}],"text":"CREATE MATERIALIZED VIEW v AS SELECT n FROM t, e, e FOR VERSION 2"}"#]],
    );
    bench.check("CREATE MATERIALIZED VIEW w AS SELECT n FROM e", expect![[r#"{"change":"create_view","id":2,"name":"w","reads":[],"entities":[{"entity":1,"columns":["b"]}],"text":"CREATE MATERIALIZED VIEW w AS SELECT n FROM e"}"#]]);
    bench.check(
        "DROP ENTITY e VERSION 2",
        expect!["Conflict: version 2 of entity e cannot be dropped: view v reads it. Drop that first"],
    );
    bench.check(
        "DROP ENTITY e VERSION 1",
        expect![[r#"{"change":"drop_entity_version","id":1,"version":1}"#]],
    );
    bench.run("DROP MATERIALIZED VIEW v");
    bench.check(
        "DROP ENTITY e VERSION 2",
        expect![[r#"{"change":"drop_entity_version","id":1,"version":2}"#]],
    );
    bench.check(
        "DROP ENTITY e",
        expect!["Conflict: entity e cannot be dropped: view w reads it. Drop that first"],
    );
    expect![[r#"{"topics":[{"id":16,"schema":1,"created":1,"dropped":false,"definition":{"name":"t"}},{"id":17,"schema":1,"created":2,"dropped":false,"definition":{"name":"rates"}}],"entities":[{"id":1,"name":"e","created":3,"dropped":false,"current":3,"last":3,"skipped":[],"versions":[{"version":3,"topic":16,"lookups":[],"created":5,"switched":6,"text":"CREATE OR REPLACE ENTITY e FROM t STATE (b INT, c INT) WHEN ANY THEN DELETE"}]}],"next_entity":2,"views":{"views":[{"id":2,"name":"w","created":8,"reads":[],"entities":[{"entity":1,"columns":["b"]}],"text":"CREATE MATERIALIZED VIEW w AS SELECT n FROM e"}],"next_view":3}}"#]].assert_eq(&String::from_utf8(bench.catalogue.save()).unwrap());
    bench.run("DROP MATERIALIZED VIEW w");
    bench.check("DROP ENTITY e", expect![[r#"{"change":"drop_entity","id":1}"#]]);
}

#[test]
fn views_are_replaced() {
    let mut bench = Bench::new();
    for sql in [
        "CREATE MATERIALIZED VIEW v AS SELECT n FROM t",
        "CREATE MATERIALIZED VIEW w AS SELECT n FROM v",
        "CREATE MATERIALIZED VIEW x AS SELECT n FROM rates",
    ] {
        bench.run(sql);
    }
    bench.check("CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT n + 1 FROM t, x", expect![[r#"{"change":"replace_view","id":1,"reads":[{"topic":16,"columns":["n"]}],"views":[3],"text":"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT n + 1 FROM t, x"}"#]]);
    bench.check(
        "CREATE OR REPLACE MATERIALIZED VIEW x AS SELECT n FROM w",
        expect!["Invalid: view x would read itself, directly or through others"],
    );
    bench.check(
        "CREATE OR REPLACE MATERIALIZED VIEW x AS SELECT n FROM x",
        expect!["Invalid: view x would read itself, directly or through others"],
    );
    bench.check("CREATE OR REPLACE MATERIALIZED VIEW t AS SELECT n FROM x", expect!["Conflict: t is the name of a topic: topics, entities and views share their names, choose another one"]);
    bench.check("CREATE OR REPLACE MATERIALIZED VIEW y AS SELECT n FROM t", expect![[r#"{"change":"create_view","id":4,"name":"y","reads":[{"topic":16,"columns":["n"]}],"text":"CREATE OR REPLACE MATERIALIZED VIEW y AS SELECT n FROM t"}"#]]);
    bench.check(
        "DROP MATERIALIZED VIEW x",
        expect!["Conflict: view x cannot be dropped: view v reads it. Drop that first"],
    );
    expect![[r#"{"topics":[{"id":16,"schema":1,"created":1,"dropped":false,"definition":{"name":"t"}},{"id":17,"schema":1,"created":2,"dropped":false,"definition":{"name":"rates"}}],"entities":[],"next_entity":1,"views":{"views":[{"id":1,"name":"v","created":3,"defined":6,"reads":[{"topic":16,"columns":["n"]}],"views":[3],"text":"CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT n + 1 FROM t, x"},{"id":2,"name":"w","created":4,"reads":[],"views":[1],"text":"CREATE MATERIALIZED VIEW w AS SELECT n FROM v"},{"id":3,"name":"x","created":5,"reads":[{"topic":17,"columns":["n"]}],"text":"CREATE MATERIALIZED VIEW x AS SELECT n FROM rates"},{"id":4,"name":"y","created":7,"reads":[{"topic":16,"columns":["n"]}],"text":"CREATE OR REPLACE MATERIALIZED VIEW y AS SELECT n FROM t"}],"next_view":5}}"#]].assert_eq(&String::from_utf8(bench.catalogue.save()).unwrap());
    // Views that read each other, in a state that is damaged.
    let damaged =
        String::from_utf8(bench.catalogue.save()).unwrap().replace(r#""views":[3]"#, r#""views":[2]"#);
    expect!["view v reads itself"].assert_eq(&Catalogue::load(damaged.as_bytes()).unwrap_err());
}
