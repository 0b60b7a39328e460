"""The charts: functions from labelled data to Matplotlib axes, in files named after what they draw."""
