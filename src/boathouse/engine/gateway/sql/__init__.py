"""SQL texts taken apart: their words, what a statement touches, where its relations, calls and lists stand."""
