"""Mail hosts, accounts and routes: who goes where, and why."""
