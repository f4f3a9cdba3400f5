"""SQL as something that is kept and run: saved queries, and statements that the server executes for somebody."""
