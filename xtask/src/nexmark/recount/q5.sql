SELECT most.auction, most.num
FROM (
  SELECT auction, count(*) AS num, window_start, window_end
  FROM hop(bid, dateTime, INTERVAL '2 seconds', INTERVAL '10 seconds')
  GROUP BY auction, window_start, window_end
) AS most
JOIN (
  SELECT max(num) AS maxn, window_start, window_end
  FROM (
    SELECT count(*) AS num, window_start, window_end
    FROM hop(bid, dateTime, INTERVAL '2 seconds', INTERVAL '10 seconds')
    GROUP BY auction, window_start, window_end
  ) AS counted
  GROUP BY window_start, window_end
) AS greatest_of
ON most.window_start = greatest_of.window_start AND most.window_end = greatest_of.window_end AND most.num >= greatest_of.maxn
