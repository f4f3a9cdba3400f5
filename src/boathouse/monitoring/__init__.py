"""Whether tables are as fresh and as complete as their own history lets one expect."""
