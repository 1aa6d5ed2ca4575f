"""Certificates, requests and revocation lists as documents: made, read, named; nothing here decides who may come in."""
