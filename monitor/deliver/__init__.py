"""What leaves the process: metrics, pages, the live page, signals as lines, logs."""
