"""Where things lie: the folders of the lake and the rules by which a path is resolved under one of them."""
