"""The closed loop: rules, what events say about them, alerts that open and close, and their timers."""
