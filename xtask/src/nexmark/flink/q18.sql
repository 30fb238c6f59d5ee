SELECT auction, bidder, price, channel, url, `dateTime`, extra
FROM (
  SELECT *, row_number() OVER (PARTITION BY bidder, auction ORDER BY `dateTime` DESC) AS place FROM bid
) AS placed
WHERE place <= 1
