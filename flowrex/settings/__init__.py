"""Settings in YAML: declared as frozen dataclasses, read with file and line, checked as a whole.

`source` reads files into trees that know their lines, `declare` says what a setting is, `schema`
makes the one of the other.
"""
