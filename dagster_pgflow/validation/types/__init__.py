"""What is known of the values between steps before a run, and what cannot fit."""
