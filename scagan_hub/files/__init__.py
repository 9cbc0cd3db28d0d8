"""Where files come from and go to: `writing` makes them whole or not at all, `packages` fetches those of a registry."""
