"""Plain chats as programs hand them about: lists of messages, `messages` of OpenAI, `conversations` of ShareGPT."""
