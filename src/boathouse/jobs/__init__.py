"""Jobs: task graphs, their runs and triggers, and the registry of task kinds."""
