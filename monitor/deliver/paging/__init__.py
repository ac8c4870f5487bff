"""Pages people: decides which signals page, words the pages, and sends them until they are accepted."""
