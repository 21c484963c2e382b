"""What a program sends, as it happens: events, the wire, lines, causes and attribute reads."""
