"""The command line: one file per verb, its flags and its action together."""
