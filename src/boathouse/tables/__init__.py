"""What needs only a Delta table's log and files: history, detail, samples, idempotent appends. Through delta-rs."""
