"""Where metrics go. `local` always: lines in the run's folder."""
