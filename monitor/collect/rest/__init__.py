"""REST requests to exchanges within a rate limit: instruments, polls, history, gap fills."""
