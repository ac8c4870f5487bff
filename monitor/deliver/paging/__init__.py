"""Pages people: what is worth a page, how it is worded, and how it is sent until it is accepted."""
