"""Files on their way into tables: found once each, their schema inferred and kept, their rows read so that nothing is lost."""
