"""Running the parts together: environment, services, accounts, the demo."""
