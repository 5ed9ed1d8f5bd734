-- A scoring job: features from two tables, several models, results to a table and to a file.

CREATE OR REPLACE MODEL late_gbm FROM 'sql/models/late_gbm.onnx';

-- This file has one input of seven numbers without names; the list names them.
CREATE OR REPLACE MODEL delay (month, day, hour, minute, dep_delay, air_time, distance) FROM 'sql/models/delay.onnx';

CREATE OR REPLACE VIEW january AS
SELECT * FROM 'sql/data/flights.parquet' JOIN 'sql/data/airlines.parquet' USING (carrier) WHERE month = 1;

CREATE OR REPLACE TABLE january_scored AS
SELECT name AS airline, flight, day, late_gbm(*) AS late, delay(*) AS delay_minutes FROM january;

-- The rows of February join the same table.
INSERT INTO january_scored
SELECT name, flight, day, late_gbm(*), delay(*)
FROM 'sql/data/flights.parquet' JOIN 'sql/data/airlines.parquet' USING (carrier) WHERE month = 2;

SELECT airline, count(*) AS flights, avg(delay_minutes) AS delay_minutes
FROM january_scored GROUP BY airline ORDER BY flights DESC, airline LIMIT 5;
