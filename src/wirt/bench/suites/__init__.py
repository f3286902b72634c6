"""What a suite does to a subject beyond running a program."""
