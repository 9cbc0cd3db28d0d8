"""Models on disk and on the Hub: `saved` writes and reads them, `checks` looks at their files first, `card` tells."""
