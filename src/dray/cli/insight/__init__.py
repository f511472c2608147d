"""What the questions about devices share on the command line: where the objects come from and how answers are shown."""
