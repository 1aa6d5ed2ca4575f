"""From a key to an installed certificate: requests, the authority that signs them, what fits, and how pairs are swapped."""
