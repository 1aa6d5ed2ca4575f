"""What the machine's firewall and the service's unit let through, rendered from the station file."""
