"""Principals (users, service principals), groups, tokens and sign-in: who asks."""
