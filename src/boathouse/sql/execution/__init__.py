"""The statement execution API: one statement at a time over HTTP, its rows as texts, Arrow or CSV."""
