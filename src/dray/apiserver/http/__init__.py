"""The API server's wire: URLs, media types, status codes and streams over aiohttp. What a request does is in `verbs`."""
