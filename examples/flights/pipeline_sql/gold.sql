-- Gold: what people ask.

CREATE OR REFRESH MATERIALIZED VIEW gold_daily_delays (
  CONSTRAINT rate EXPECT (late_rate IS NULL OR late_rate BETWEEN 0 AND 1) ON VIOLATION FAIL UPDATE
)
COMMENT 'Delays by day and airport'
TBLPROPERTIES ('quality' = 'gold')
AS SELECT CAST(sched_dep AS DATE) AS day, origin, count(*) AS flights, count_if(cancelled) AS cancelled,
          avg(CAST(late AS DOUBLE)) AS late_rate, avg(arr_delay) AS mean_arr_delay
FROM silver_flights GROUP BY CAST(sched_dep AS DATE), origin;

CREATE OR REFRESH MATERIALIZED VIEW gold_carrier_delays (
  CONSTRAINT rate EXPECT (late_rate IS NULL OR late_rate BETWEEN 0 AND 1) ON VIOLATION FAIL UPDATE
)
COMMENT 'Delays by month and carrier'
TBLPROPERTIES ('quality' = 'gold')
AS SELECT month, carrier, count(*) AS flights, count_if(cancelled) AS cancelled,
          avg(CAST(late AS DOUBLE)) AS late_rate, avg(arr_delay) AS mean_arr_delay
FROM silver_flights GROUP BY month, carrier;
