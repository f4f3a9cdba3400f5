"""From a bare notebook to a project: what its cells do, where they can be parted, and the steps that they become."""
