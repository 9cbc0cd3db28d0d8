"""Pictures that know of no pose: `opening` reads any photo, `filters` are in numpy, `video` writes what moves."""
