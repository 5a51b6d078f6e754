"""Published protocols as files: plan, run, and set ours beside the printed numbers."""
