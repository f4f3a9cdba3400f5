"""Apache Kafka as a source and a sink, with the options and columns of Spark's connector, through librdkafka."""
