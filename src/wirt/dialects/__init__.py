"""Front ends that speak as other products do: a parser, a renderer and a table of exit codes each, nothing more."""
