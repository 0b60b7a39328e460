"""Living figures: what a person drags, sees and certifies, in a notebook, a frozen page and the workbench."""
