"""The operations of clients: each goes on while its client is away, and is done again where that is right."""
