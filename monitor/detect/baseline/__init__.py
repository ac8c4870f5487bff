"""What is normal: daily and weekly seasonality, and how surprising a value is."""
