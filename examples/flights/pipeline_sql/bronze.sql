-- Bronze: the files of the landing volume as tables, each file exactly once, its rows as they came.
-- What does not fit its column, and a line that is no record, is kept as text in _rescued_data.

CREATE OR REFRESH STREAMING TABLE bronze_flights
COMMENT 'Flights, one JSON-lines file a day'
TBLPROPERTIES ('quality' = 'bronze')
AS SELECT *, _metadata.file_path AS _file FROM STREAM read_files('/Volumes/main/flights/landing/flights', format => 'json');

CREATE OR REFRESH STREAMING TABLE bronze_weather
COMMENT 'The weather at each airport, hour by hour, one CSV file a month'
TBLPROPERTIES ('quality' = 'bronze')
AS SELECT *, _metadata.file_path AS _file FROM STREAM read_files('/Volumes/main/flights/landing/weather', format => 'csv', header => true);

CREATE OR REFRESH STREAMING TABLE bronze_airports
COMMENT 'All airports, one CSV file'
TBLPROPERTIES ('quality' = 'bronze')
AS SELECT *, _metadata.file_path AS _file FROM STREAM read_files('/Volumes/main/flights/landing/airports', format => 'csv', header => true);

CREATE OR REFRESH STREAMING TABLE bronze_airlines
COMMENT 'All airlines, one CSV file'
TBLPROPERTIES ('quality' = 'bronze')
AS SELECT *, _metadata.file_path AS _file FROM STREAM read_files('/Volumes/main/flights/landing/airlines', format => 'csv', header => true);

CREATE OR REFRESH STREAMING TABLE bronze_planes
COMMENT 'All planes, one CSV file'
TBLPROPERTIES ('quality' = 'bronze')
AS SELECT *, _metadata.file_path AS _file FROM STREAM read_files('/Volumes/main/flights/landing/planes', format => 'csv', header => true);
