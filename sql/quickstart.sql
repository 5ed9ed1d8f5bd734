-- The main job in one minute: a model becomes a function, its predictions become a table.
--
--   cargo run -- -f sql/quickstart.sql            in memory
--   cargo run -- mydb -f sql/quickstart.sql       in the database directory mydb

-- Every flight that left New York City in 2013.
CREATE OR REPLACE VIEW flights AS SELECT * FROM 'sql/data/flights.parquet';

-- A scikit-learn pipeline (imputer, scaler, one-hot encoder, logistic regression) as it was exported.
CREATE OR REPLACE MODEL late FROM 'sql/models/late.onnx';
DESCRIBE MODEL late;

-- Its features are columns of the table: by name, or one by one.
SELECT carrier, flight, dep_delay, predict('late', *) AS prediction, predict_proba('late', *)['late'] AS probability
FROM flights WHERE month = 7 AND day = 4 AND origin = 'JFK'
ORDER BY probability DESC, carrier, flight LIMIT 5;

SELECT late(dep_delay => 12, distance => 719, hour => 17, carrier => 'UA', origin => 'EWR', dest => 'ORD') AS prediction;

-- The whole year, saved.
CREATE OR REPLACE TABLE scored AS
SELECT year, month, day, carrier, flight, arr_delay, predict('late', *) AS prediction, predict_proba('late', *)['late'] AS probability
FROM flights;

-- How good was it? A flight is late when it arrives more than 15 minutes after its time.
SELECT prediction, count(*) AS flights, round(avg(CASE WHEN arr_delay > 15 THEN 1.0 ELSE 0.0 END), 3) AS really_late
FROM scored WHERE arr_delay IS NOT NULL GROUP BY prediction ORDER BY prediction;
