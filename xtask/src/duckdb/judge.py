"""Evaluates expressions with DuckDB. Reads a JSON object: statements that make the table, and expressions over it.
Writes rows of texts and nulls, in the order of k."""

import json
import sys

import duckdb

given = json.load(sys.stdin)
connection = duckdb.connect()
connection.execute("SET TimeZone = 'UTC'")
for statement in given["statements"]:
    connection.execute(statement)
texts = ", ".join(f"CAST({expression} AS VARCHAR)" for expression in given["expressions"])
json.dump(connection.execute(f"SELECT {texts} FROM t ORDER BY k").fetchall(), sys.stdout)
