"""Other tools' own output, read into runs that are listed, compared and exported like ours."""
