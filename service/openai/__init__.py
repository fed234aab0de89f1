"""OpenAI's protocol, so that any chat program can talk with the documents.

A model's name is `rag` (the default collection) or `rag/COLLECTION`. The last user message is the
question, the messages before it the history; system messages are passed over, since the pipeline
has its own. Sources come as annotations, and as Markdown at the end of the text. What cannot be
done as it was asked is refused, never passed over in silence where it changes the answer's form.
"""
