"""Q-learning on tables: independent, over periods, in repeated games with memory."""
