"""The pipeline over HTTP, OpenAI's protocol and MCP, and the chat page."""
