"""Where user functions run: processes without the lake, the network, and the engine's memory and token."""
