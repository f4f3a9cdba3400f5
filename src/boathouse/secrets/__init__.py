"""Secrets: scopes of keys with encrypted values, and who may read, write and manage them."""
