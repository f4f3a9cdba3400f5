"""Feature tables: their keys, the online store that they are published to, and the look-ups that a model asks for."""
