"""Forecasts: series made regular, methods judged by what they would have said in the past, and what the best says of the future."""
