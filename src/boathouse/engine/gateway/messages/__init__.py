"""Spark Connect's messages: what is read from their bytes, what is made of them, and the types in them."""
