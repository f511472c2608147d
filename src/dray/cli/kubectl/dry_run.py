"""`--dry-run=client|server`: what the server is told, and what the user."""


def dry_query(dry_run: str) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run == "server" else {}


def dry_words(dry_run: str) -> str:
    return {"client": " (dry run)", "server": " (server dry run)"}.get(dry_run, "")
