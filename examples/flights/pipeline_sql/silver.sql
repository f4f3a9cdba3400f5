-- Silver: one row a flight and one an hour of weather, with moments in UTC, and what a row has to be like.
-- Rows that do not meet a DROP ROW constraint go to <table>_quarantine with the reason; the others are counted.

-- A flight's outcome is known when it has arrived. The file tells the scheduled arrival by the clock of the destination, so it is
-- turned to UTC by the airport's time zone; the four airports that the file of airports lacks are in Puerto Rico and the Virgin
-- Islands.
CREATE TEMPORARY VIEW flights_in_utc AS
SELECT *,
       hour_utc + make_dt_interval(0, 0, minute, 0) AS sched_dep,
       hour_utc + make_dt_interval(0, 0, minute + dep_delay, 0) AS departed_at,
       to_utc_timestamp(make_timestamp(year, month, day, sched_arr_time DIV 100, sched_arr_time % 100, 0),
                        coalesce(tzone, 'America/Puerto_Rico')) AS arrival
FROM (SELECT *, to_timestamp(time_hour) AS hour_utc FROM STREAM(bronze_flights))
LEFT JOIN (SELECT faa AS dest, tzone FROM bronze_airports) USING (dest);

CREATE OR REFRESH STREAMING TABLE silver_flights (
  CONSTRAINT fits EXPECT (_rescued_data IS NULL) ON VIOLATION DROP ROW,
  CONSTRAINT known_origin EXPECT (_rescued_data IS NOT NULL OR origin IN ('EWR', 'JFK', 'LGA')) ON VIOLATION DROP ROW,
  -- A diverted flight has no arrival delay: it is neither late nor on time, so it is no example of either.
  CONSTRAINT has_outcome EXPECT (cancelled OR arr_delay IS NOT NULL) ON VIOLATION DROP ROW,
  CONSTRAINT has_tailnum EXPECT (tailnum IS NOT NULL),
  CONSTRAINT plausible_delay EXPECT (arr_delay IS NULL OR arr_delay BETWEEN -120 AND 720)
)
COMMENT 'One row a flight; late is 15 minutes or more'
TBLPROPERTIES ('quality' = 'silver')
AS SELECT concat_ws('-', date_format(hour_utc, 'yyyyMMddHH'), minute, carrier, flight, origin) AS flight_id,
          sched_dep, carrier, flight, tailnum, origin, dest,
          month, hour, minute, distance, dep_delay, arr_delay,
          dep_time IS NULL AS cancelled,
          arr_delay >= 15 AS late,
          departed_at,
          -- A few rows contradict themselves: no flight has arrived before it left and flew.
          greatest(arrival + make_dt_interval(CASE WHEN arrival <= sched_dep THEN 1 ELSE 0 END, 0, arr_delay, 0),
                   departed_at + make_dt_interval(0, 0, air_time, 0)) AS known_at,
          _rescued_data, _file
FROM STREAM(flights_in_utc);

CREATE OR REFRESH STREAMING TABLE silver_weather (
  CONSTRAINT fits EXPECT (_rescued_data IS NULL) ON VIOLATION DROP ROW,
  CONSTRAINT has_temperature EXPECT (temp IS NOT NULL) ON VIOLATION DROP ROW,
  CONSTRAINT plausible_wind EXPECT (wind_speed IS NULL OR wind_speed < 100),
  CONSTRAINT has_pressure EXPECT (pressure IS NOT NULL)
)
COMMENT 'One row an airport and hour'
TBLPROPERTIES ('quality' = 'silver')
AS SELECT origin, to_timestamp(time_hour) AS time_hour, temp, dewp, humid, wind_speed, precip, pressure, visib, _rescued_data, _file
FROM STREAM(bronze_weather);

CREATE OR REFRESH MATERIALIZED VIEW silver_flights_copies (
  CONSTRAINT once EXPECT (copies = 1)
)
COMMENT 'Flights that silver has more than once: a file came twice, under two names'
AS SELECT flight_id, count(*) AS copies FROM silver_flights GROUP BY flight_id HAVING count(*) > 1;
