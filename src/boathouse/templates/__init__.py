"""Project templates: Go's template language, the questions of a template, and the files that they make."""
