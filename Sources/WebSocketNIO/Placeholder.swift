enum WebSocketNIOPlaceholder {}
