"""Judges cases of the law of views with DuckDB. Reads a JSON object a line: statements that make tables, a query, and the rows
that were kept for it. Numbers are equal up to six digits behind the point: DuckDB divides doubles."""

import collections
import json
import re
import sys

import duckdb

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?$")
TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[ T]([0-9:.]+)(\+00|Z)$")
DIGITS = 6
UNJUDGED_MAX = 0.1


def shown(value, digits):
    if value is None:
        return None
    if NUMBER.match(value):
        rounded = round(float(value), digits)
        return str(0.0 if rounded == 0 else rounded)
    time = TIME.match(value)
    return f"{time[1]}T{time[2]}Z" if time else value


def counted(rows, digits):
    return collections.Counter(tuple(shown(value, digits) for value in row) for row in rows)


connection = duckdb.connect()
for setting in ["TimeZone = 'UTC'", "integer_division = true", "default_null_order = 'postgres'"]:
    connection.execute(f"SET {setting}")


def asked(query, optimizer):
    connection.execute(f"PRAGMA {'enable' if optimizer else 'disable'}_optimizer")
    return connection.execute(f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ({query})").fetchall()


def are_equal(judged, kept):
    # At the edge of a digit one of two ways to round is enough.
    return any(counted(judged, digits) == counted(kept, digits) for digits in (DIGITS, DIGITS - 1))


cases, rows, unjudged, differing, unlike_itself = 0, 0, collections.Counter(), 0, 0
for line in sys.stdin:
    case = json.loads(line)
    cases += 1
    try:
        for statement in case["statements"]:
            connection.execute(statement)
        query, kept = case["query"], case["kept"]
        said = asked(query, True)
    except duckdb.Error as error:
        unjudged[str(error).splitlines()[0][:100]] += 1
        continue
    rows += len(said)
    if are_equal(said, kept):
        continue
    # It leaves out a LEFT JOIN below DISTINCT although a LIMIT between them counts its rows (case 8005559).
    if are_equal(asked(query, False), kept):
        unlike_itself += 1
        print(f"case {case['case']}: DuckDB says so without its optimizer, and something else with it")
    else:
        differing += 1
        print(f"case {case['case']}:", *case["statements"], query, sep="\n ")
        print(" DuckDB", sorted(map(str, said)), "\n kept  ", sorted(str(tuple(row)) for row in kept))
for reason, count in unjudged.most_common():
    print(f"{count} not judged: {reason}")
print(f"{cases} cases, {cases - unjudged.total()} judged by DuckDB {duckdb.__version__}, {rows} rows, {differing} differ, {unlike_itself} only by its optimizer")
sys.exit(differing > 0 or unjudged.total() > UNJUDGED_MAX * cases)
