"""What a plan did, for the history: who, what it read and wrote, and how its columns came to be."""
