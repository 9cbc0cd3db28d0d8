"""The person in a photo: `crop` brings them to the nets' size, `cutout` cuts them out, `filling` shows it empty."""
