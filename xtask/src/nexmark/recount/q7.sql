SELECT b.auction, b.price, b.bidder, b.dateTime, b.extra
FROM bid AS b
JOIN (
  SELECT max(price) AS maxprice, window_end
  FROM tumble(bid, dateTime, INTERVAL '10 seconds')
  GROUP BY window_start, window_end
) AS highest
ON b.price = highest.maxprice
WHERE b.dateTime BETWEEN highest.window_end - INTERVAL '10 seconds' AND highest.window_end
