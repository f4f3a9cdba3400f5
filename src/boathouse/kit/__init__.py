"""Small tools without a domain: clock, identifiers, logging, processes."""
