-- The rules of a bank, and tests of them: recount test examples/bank.test.sql

CREATE TOPIC transactions (accountId BIGINT NOT NULL, amount DECIMAL(18,2) NOT NULL,
  timestamp TIMESTAMPTZ NOT NULL) KEY (accountId) TIMESTAMP BY timestamp;

CREATE TOPIC rates (product TEXT NOT NULL, rate DECIMAL(9,6) NOT NULL,
  since TIMESTAMPTZ NOT NULL) KEY (product) TIMESTAMP BY since;

CREATE ENTITY account FROM transactions ORDER BY EVENT TIME
  LOOKUP rates AS r ON r.product = 'savings' AS OF timestamp
  STATE (balance DECIMAL(18,2) NOT NULL DEFAULT 0, last TIMESTAMPTZ)
  WHEN (balance + amount < 0) THEN ERROR 'overdrawn'
  WHEN ANY THEN SET last = timestamp, balance = balance + amount
    + round(balance * coalesce(r.rate, 0) * coalesce(days(last, timestamp), 0) / 365, 2);

AT '2023-12-01T00:00:00Z'
GIVEN rates
{"product": "savings", "rate": 0.05, "since": "2023-01-01T00:00:00Z"}


TEST 'interest is paid on the balance of before'

GIVEN transactions
{"accountId": 1, "amount": 100.00, "timestamp": "2023-12-01T12:00:00Z"}
{"accountId": 1, "amount": -20.00, "timestamp": "2023-12-13T12:00:00Z"}

THEN account/1 {"balance": 80.16}                        -- 100.00 × 0.05 × 12 / 365 = 0.16


TEST 'a rate holds from its date on'

INSERT INTO rates VALUES ('savings', 0.10, '2023-12-10T00:00:00Z');

GIVEN transactions
{"accountId": 1, "amount": 100.00, "timestamp": "2023-12-01T12:00:00Z"}
{"accountId": 1, "amount":   0.00, "timestamp": "2023-12-09T12:00:00Z"}
{"accountId": 1, "amount":   0.00, "timestamp": "2023-12-19T12:00:00Z"}

THEN SELECT _event_time, balance FROM account FOR VALID_TIME ALL ORDER BY _event_time;
{"_event_time": "2023-12-01T12:00:00Z", "balance": 100.00}
{"_event_time": "2023-12-09T12:00:00Z", "balance": 100.11}
{"_event_time": "2023-12-19T12:00:00Z", "balance": 100.38}


TEST 'a late transaction changes December, not what was believed of it'

AT '2024-01-02T09:00:00Z'
GIVEN transactions
{"accountId": 1, "amount": 100.00, "timestamp": "2023-12-01T12:00:00Z"}
AT '2024-01-09T09:00:00Z'
GIVEN transactions
{"accountId": 1, "amount": -20.00, "timestamp": "2023-12-13T12:00:00Z"}

THEN account/1 FOR VALID_TIME AS OF END OF '2023-12-31' {"balance": 80.16}
THEN account/1 FOR VALID_TIME AS OF END OF '2023-12-31' FOR SYSTEM_TIME AS OF '2024-01-08T00:00:00Z'
  {"balance": 100.00}
THEN account/1 FOR VALID_TIME AS OF END OF '2023-11-30' NOTHING


TEST 'an overdrawn account stops, and no other'

GIVEN transactions
{"accountId": 1, "amount":  50.00, "timestamp": "2023-12-01T12:00:00Z"}
{"accountId": 2, "amount": -50.00, "timestamp": "2023-12-01T12:00:00Z"}

THEN account/1 {"balance": 50.00}
THEN account/2 STOPPED 'overdrawn'
THEN SELECT * FROM account; ERROR 'account/2 stopped'


TEST 'a transaction without an amount is not recorded'

GIVEN transactions
{"accountId": 1, "timestamp": "2023-12-01T12:00:00Z"}
THEN ERROR 'amount'
THEN SELECT * FROM transactions; NOTHING
