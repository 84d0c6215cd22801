"""The application: what runs behind nginx and serves the API."""
