"""What the embedded engine does not read, or takes for something else, in forms that it does."""
