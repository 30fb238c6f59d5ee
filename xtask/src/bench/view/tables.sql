CREATE TABLE transactions (accountId BIGINT, amount DECIMAL(18,2), `timestamp` BIGINT)
WITH ('connector' = 'filesystem', 'path' = 'PATH/transactions', 'format' = 'json');
CREATE TABLE owners (account BIGINT, region BIGINT)
WITH ('connector' = 'filesystem', 'path' = 'PATH/owners', 'format' = 'json');
