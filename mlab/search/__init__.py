"""A run searched from its first cell to its last. The only home of Optuna; nothing in here knows Prefect."""
