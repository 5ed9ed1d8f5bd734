-- The table form, as BigQuery has it: input columns, then predicted_<label> and the probability of each class.

CREATE OR REPLACE MODEL late FROM 'sql/models/late.onnx' WITH (label = 'arrival');
CREATE OR REPLACE VIEW flights AS SELECT flight, dep_delay, distance, hour, carrier, origin, dest FROM 'sql/data/flights.parquet';

SELECT flight, carrier, predicted_arrival, predicted_arrival_probs
FROM ML.PREDICT(MODEL late, (SELECT * FROM flights WHERE carrier = 'HA' ORDER BY flight, dep_delay LIMIT 3));

-- A stricter alarm: late only where the model is surer than 80 %.
SELECT predicted_arrival, count(*) AS flights
FROM ML.PREDICT(MODEL late, TABLE flights, STRUCT(0.2 AS threshold))
GROUP BY predicted_arrival ORDER BY predicted_arrival;
