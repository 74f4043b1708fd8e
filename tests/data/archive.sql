-- A second database with one table.
CREATE TABLE old_people (id integer PRIMARY KEY, email text, born date);
INSERT INTO old_people
SELECT i, substr(md5('old' || i), 1, 12) || '@' || substr(md5('host' || i), 1, 9) || '.test',
       date '1930-01-01' + (i * 7 % 9000)
FROM generate_series(1, 1000) AS i;
