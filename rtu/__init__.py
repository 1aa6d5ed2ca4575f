"""An IEC 60870-5-104 controlled station for Linux single-board RTUs."""
