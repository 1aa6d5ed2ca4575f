"""The edge: sockets, TLS and admission around sessions that know none of them."""
