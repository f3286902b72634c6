"""``vzctl``: the subcommands, one file for each kind."""
