"""The Spark Connect gateway: authenticates, routes, governs names and paths, and passes everything else through."""
