"""What providers report and log files hold, read into runs. Pure."""
