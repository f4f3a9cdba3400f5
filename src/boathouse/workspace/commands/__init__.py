"""Commands in execution contexts, as ``/api/1.2`` has them: code that a client sends piece by piece to a kernel of its own."""
