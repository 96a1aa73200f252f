"""BTrDB's protocol: messages, points and errors. Bytes in, messages out."""
