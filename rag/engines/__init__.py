"""Chat models that write: vLLM-MLX, or an OpenAI-compatible server."""
