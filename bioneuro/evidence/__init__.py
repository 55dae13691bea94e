"""Published data with their error bars, one file per paper."""
