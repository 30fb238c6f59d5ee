"""What balances with interest should be: exact fractions over a list of everything that was recorded.

Reads one JSON object: the transactions, the rates, the questions. Writes one: the lines of each answer, how many steps paid
interest, and of how many the interest lay between two cents exactly. Knows nothing of the program that it judges."""

import json
import sys
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from math import floor

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def cents(exact):
    """To two digits, half away from zero."""
    size = floor(abs(exact) * 100 + Fraction(1, 2))
    return Fraction(size if exact >= 0 else -size, 100)


def shown(balance):
    size = int(abs(balance) * 100)
    return f"{'-' if balance < 0 else ''}{size // 100}.{size % 100:02}"


def rate_of(product, at, rates):
    """The rate with the greatest time up to `at`; of several with one time the one recorded last."""
    known = [rate for rate in rates if rate["product"] == product and rate["time"] <= at]
    return max(known, key=lambda rate: (rate["time"], rate["position"]), default={"rate": Fraction(0)})["rate"]


def steps(transactions, rates, product, by_time):
    """Position, balance and exact interest of each step of one account."""
    order = (lambda t: (t["time"], t["position"])) if by_time else (lambda t: t["position"])
    balance, last = Fraction(0), None
    for event in sorted(transactions, key=order):
        days = (event["time"].date() - last.date()).days if last else 0
        rate = rate_of(product or event["product"], event["time"], rates)
        interest = balance * rate * days / 365
        balance, last = balance + event["amount"] + cents(interest), event["time"]
        if abs(balance) >= 10**16:
            sys.exit(f"a balance of account {event['account']} leaves DECIMAL(18,2): ask for fewer events an account")
        yield event["position"], balance, interest


def answer(asked, transactions, rates):
    def seen(record):
        # A position within an append is the one before it.
        return (
            (asked["position"] is None or record["last"] <= asked["position"])
            and (asked["recorded"] is None or record["recorded"] <= moment(asked["recorded"]))
            and (asked["valid"] is None or record["time"] <= moment(asked["valid"]))
        )

    transactions, rates = list(filter(seen, transactions)), list(filter(seen, rates))
    lines, paid, halves = [], 0, 0
    for account in sorted({event["account"] for event in transactions}):
        of_account = [event for event in transactions if event["account"] == account]
        folded = list(steps(of_account, rates, asked["product"], asked["by_time"]))
        paid += sum(cents(interest) != 0 for _, _, interest in folded)
        halves += sum((interest * 100).denominator == 2 for _, _, interest in folded)
        for position, balance, _ in sorted(folded) if asked["steps"] else folded[-1:]:
            lines.append(f"{account},{position},{shown(balance)}")
    return lines, paid, halves


def main():
    given = json.load(sys.stdin)
    for record in given["transactions"]:
        record["time"] = EPOCH + timedelta(seconds=record["seconds"])
        record["amount"] = Fraction(record["amount"])
    for record in given["rates"]:
        record["time"] = moment(record["since"])
        record["rate"] = Fraction(record["rate"])
    for record in given["transactions"] + given["rates"]:
        record["recorded"] = moment(record["recorded"])
    answers = [answer(asked, given["transactions"], given["rates"]) for asked in given["questions"]]
    lines, paid, halves = zip(*answers)
    json.dump({"answers": lines, "paid": sum(paid), "halves": sum(halves)}, sys.stdout)


main()
