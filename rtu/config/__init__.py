"""The station's one TOML file: its shape, its reading, its checks."""
