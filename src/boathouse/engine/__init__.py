"""The engine: one Sail process per principal behind the Spark Connect gateway."""
